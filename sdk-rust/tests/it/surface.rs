//! What the types promise to the compiler.

use std::io;

use futures_util::Stream;
use tokio::io::AsyncRead;
use vexfs_client::{
    Client, ClientBuilder, Content, Error, File, Items, Pages, PointInput, Points, SearchResults, SettingsError, requests,
};

fn shared<T: Clone + Send + Sync + Unpin + 'static>() {}
fn sent<T: Send + Unpin + 'static>() {}
fn future<T: Send + 'static>(_: T) {}
fn error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn clients_and_requests_go_where_tasks_go() {
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Points>();
    shared::<File>();
    shared::<SearchResults>();
    shared::<requests::Search>();
    shared::<requests::List>();
    shared::<requests::Write>();
    sent::<requests::WriteStream>();
    sent::<requests::UpsertPointsStream>();
    error::<Error>();
    error::<SettingsError>();
    assert_eq!(size_of::<Error>(), size_of::<usize>(), "a result is not larger for its error");
}

#[test]
fn streams_are_streams() {
    fn stream<T: Stream + Send + Unpin>() {}
    fn reader<T: AsyncRead + Send + Unpin>() {}
    stream::<Items<File>>();
    stream::<Pages<File>>();
    stream::<Content>();
    reader::<Content>();
}

#[tokio::test]
async fn futures_can_be_spawned() {
    let client = Client::builder().address("127.0.0.1:1").connect().await.unwrap();
    future(client.files().stat("/").into_future());
    future(client.files().stat("/").answer());
    future(client.files().list("/").all());
    future(client.files().read("/").stream());
    future(client.files().read("/").answer());
    future(client.files().write("/a", "x").answer());
    future(client.files().write_from("/a", tokio::io::empty()).answer());
    future(client.points().upsert_stream("/c", futures_util::stream::pending::<io::Result<PointInput>>()).answer());
    future(Client::from_env());
}
