//! The methods of the contract that answer one message: which stub sends them, and whether those that take one write.

use std::future::Future;

use futures_util::stream::Stream;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::generated::proto;

/// The largest response that is taken; the server sends no larger ones.
pub(crate) const MESSAGE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// A request of a unary method.
pub(crate) trait Unary: Clone + Send + Sync + 'static {
    type Response: Send + 'static;

    /// The method's name, for people.
    const NAME: &'static str;

    /// The field that makes it safe to send the request again; none if the method has no side effects.
    fn request_id(&mut self) -> Option<&mut String>;

    fn send(request: Request<Self>, channel: Channel) -> impl Future<Output = Result<Self::Response, Status>> + Send;
}

macro_rules! unary {
    ($($module:ident::$Stub:ident { $($effect:ident $method:ident($Request:ident) -> $Response:ident;)* })*) => { $($(
        impl Unary for proto::$Request {
            type Response = proto::$Response;

            const NAME: &'static str = stringify!($method);

            unary!(@$effect);

            async fn send(request: Request<Self>, channel: Channel) -> Result<Self::Response, Status> {
                let stub = proto::$module::$Stub::new(channel);
                let response = stub.max_decoding_message_size(MESSAGE_MAX_BYTES).$method(request).await?;
                Ok(response.into_inner())
            }
        }
    )*)* };
    (@reads) => {
        fn request_id(&mut self) -> Option<&mut String> {
            None
        }
    };
    (@writes) => {
        fn request_id(&mut self) -> Option<&mut String> {
            Some(&mut self.request_id)
        }
    };
}

unary! {
    files_service_client::FilesServiceClient {
        reads stat_file(StatFileRequest) -> StatFileResponse;
        reads list_files(ListFilesRequest) -> ListFilesResponse;
        reads get_content(GetContentRequest) -> GetContentResponse;
        writes put_content(PutContentRequest) -> PutContentResponse;
        writes make_directory(MakeDirectoryRequest) -> MakeDirectoryResponse;
        writes move_file(MoveFileRequest) -> MoveFileResponse;
        writes copy_file(CopyFileRequest) -> CopyFileResponse;
        writes remove_file(RemoveFileRequest) -> RemoveFileResponse;
        writes create_symlink(CreateSymlinkRequest) -> CreateSymlinkResponse;
        reads read_symlink(ReadSymlinkRequest) -> ReadSymlinkResponse;
        writes create_link(CreateLinkRequest) -> CreateLinkResponse;
        writes set_attributes(SetAttributesRequest) -> SetAttributesResponse;
        reads get_xattr(GetXattrRequest) -> GetXattrResponse;
        writes set_xattr(SetXattrRequest) -> SetXattrResponse;
        reads list_xattrs(ListXattrsRequest) -> ListXattrsResponse;
        writes remove_xattr(RemoveXattrRequest) -> RemoveXattrResponse;
        reads get_metadata(GetMetadataRequest) -> GetMetadataResponse;
        writes set_metadata(SetMetadataRequest) -> SetMetadataResponse;
    }
    collections_service_client::CollectionsServiceClient {
        writes create_collection(CreateCollectionRequest) -> CreateCollectionResponse;
        reads get_collection(GetCollectionRequest) -> GetCollectionResponse;
        reads list_collections(ListCollectionsRequest) -> ListCollectionsResponse;
        writes delete_collection(DeleteCollectionRequest) -> DeleteCollectionResponse;
    }
    points_service_client::PointsServiceClient {
        writes upsert_points(UpsertPointsRequest) -> UpsertPointsResponse;
        reads get_points(GetPointsRequest) -> GetPointsResponse;
        writes delete_points(DeletePointsRequest) -> DeletePointsResponse;
        reads list_points(ListPointsRequest) -> ListPointsResponse;
        reads query_points(QueryPointsRequest) -> QueryPointsResponse;
        reads batch_query_points(BatchQueryPointsRequest) -> BatchQueryPointsResponse;
    }
    search_service_client::SearchServiceClient {
        reads search(SearchRequest) -> SearchResponse;
        reads batch_search(BatchSearchRequest) -> BatchSearchResponse;
        reads wait_for_views(WaitForViewsRequest) -> WaitForViewsResponse;
        reads list_skipped_files(ListSkippedFilesRequest) -> ListSkippedFilesResponse;
    }
    server_service_client::ServerServiceClient {
        reads get_server_info(GetServerInfoRequest) -> GetServerInfoResponse;
    }
}

/// A message of a method that takes a stream of them.
pub(crate) trait Streamed: Clone + Send + Sync + 'static {
    type Response: Send + 'static;

    fn send(
        request: Request<impl Stream<Item = Self> + Send + 'static>,
        channel: Channel,
    ) -> impl Future<Output = Result<Self::Response, Status>> + Send;
}

macro_rules! streamed {
    ($($module:ident::$Stub:ident $method:ident($Request:ident) -> $Response:ident;)*) => { $(
        impl Streamed for proto::$Request {
            type Response = proto::$Response;

            async fn send(
                request: Request<impl Stream<Item = Self> + Send + 'static>,
                channel: Channel,
            ) -> Result<Self::Response, Status> {
                Ok(proto::$module::$Stub::new(channel).$method(request).await?.into_inner())
            }
        }
    )* };
}

streamed! {
    files_service_client::FilesServiceClient write_file(WriteFileRequest) -> WriteFileResponse;
    points_service_client::PointsServiceClient upsert_points_stream(UpsertPointsStreamRequest) -> UpsertPointsStreamResponse;
}
