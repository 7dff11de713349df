//! A VMM's first calls in Rust. Usage: cargo run -- /run/iommu-broker/broker.sock; it needs protoc.

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Endpoint, Uri};
use tonic::{metadata::MetadataValue, Request};
use tonic_types::StatusExt;
use tower::service_fn;

mod google {
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}
mod iommubroker {
    pub mod v1 {
        tonic::include_proto!("iommubroker.v1");
    }
}
use iommubroker::v1::{iommu_broker_client::IommuBrokerClient, *};

/// Puts a session's token into a request.
fn with_token<T>(message: T, token: &str) -> Result<Request<T>, Box<dyn std::error::Error>> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("iommubroker-session-token", MetadataValue::try_from(token)?);
    Ok(request)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = std::env::args().nth(1).ok_or("usage: cargo run -- /path/to/broker.sock")?;
    // The URI is only the authority; the connector goes to the socket.
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(service_fn(move |_: Uri| {
            let path = socket.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
        }))
        .await?;
    let mut client = IommuBrokerClient::new(channel);

    let capabilities = client.get_capabilities(GetCapabilitiesRequest::default()).await?.into_inner();
    for iommu in &capabilities.iommus {
        println!("{} nests: {}", iommu.name, iommu.nesting);
    }

    let open = OpenSessionRequest { display_name: "rust example".into(), ..Default::default() };
    let token = client.open_session(open).await?.into_inner().token;
    let space = client.create_address_space(with_token(CreateAddressSpaceRequest::default(), &token)?).await?.into_inner();
    println!("session open, address space made: {}", space.address_space.is_some());

    let detach = DetachDeviceRequest { device: "devices/none".into(), ..Default::default() };
    if let Err(status) = client.detach_device(with_token(detach, &token)?).await {
        let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
        println!("refused: {:?} {reason}", status.code());
    }
    client.close_session(with_token(CloseSessionRequest::default(), &token)?).await?;
    println!("session closed");
    Ok(())
}
