//! placeholder
pub fn build(
    _: &[()],
    _: std::time::Duration,
) -> Result<Vec<std::sync::Arc<dyn crate::ports::Sink>>, String> {
    Ok(vec![])
}
