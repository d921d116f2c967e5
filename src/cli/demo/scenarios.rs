//! The three classic scenarios.

use super::stage::Stage;
use super::{REGIONS, TIMEOUT};

pub(super) async fn play_all(stage: &mut Stage) -> anyhow::Result<()> {
    stage.tell("\nsimple: one push, all regions report it");
    simple(stage).await?;
    stage.tell("\ninterleaved: two pushes at the same time");
    interleaved(stage).await?;
    stage.tell(&format!("\ntimeout: one region does not report within {TIMEOUT}, and comes late"));
    timeout(stage).await?;
    stage.tell("\nAll three scenarios went as they should.");
    Ok(())
}

async fn simple(stage: &mut Stage) -> anyhow::Result<()> {
    let mut scene = stage.push("1.0")?;
    for (i, region) in REGIONS.iter().enumerate() {
        let last = i + 1 == REGIONS.len();
        stage.arrive(&mut scene, region, if last { "completed" } else { "recorded" }).await?;
    }
    stage.notice(&scene, "in all 4 regions after").await?;
    stage.ends(&scene, "completed").await
}

async fn interleaved(stage: &mut Stage) -> anyhow::Result<()> {
    let (mut first, mut second) = (stage.push("1.1")?, stage.push("2.0")?);
    for region in &REGIONS[..3] {
        stage.arrive(&mut first, region, "recorded").await?;
        stage.arrive(&mut second, region, "recorded").await?;
    }
    stage.arrive(&mut second, REGIONS[3], "completed").await?;
    stage.notice(&second, "in all 4 regions after").await?;
    stage.arrive(&mut first, REGIONS[3], "completed").await?;
    stage.notice(&first, "in all 4 regions after").await?;
    stage.ends(&second, "completed").await?;
    stage.ends(&first, "completed").await
}

async fn timeout(stage: &mut Stage) -> anyhow::Result<()> {
    let mut scene = stage.push("2.1")?;
    for region in &REGIONS[..3] {
        stage.arrive(&mut scene, region, "recorded").await?;
    }
    stage.notice(&scene, &format!("timed out after 3 s, missing: {}", REGIONS[3])).await?;
    stage.arrive(&mut scene, REGIONS[3], "recovered").await?;
    stage.notice(&scene, &format!("was missing: {}", REGIONS[3])).await?;
    stage.ends(&scene, "recovered").await
}
