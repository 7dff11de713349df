// Makes the stubs from the contract; needs protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_build::configure().build_server(false).compile_protos(&["../../proto/iommubroker/v1/broker.proto"], &["../../proto"])?;
    Ok(())
}
