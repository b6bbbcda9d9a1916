//! Writes two files, waits until they can be found, and asks a question. The README shows this program.

use vexfs_client::{Client, ErrorKind, Filter, Reason};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The address, the token and all else come from VEXFS_* variables, unless the builder says otherwise.
    let client = Client::builder().max_attempts(5).connect().await?;
    let files = client.files();

    files.write("/recipes/bread.md", "Rye bread rises slowly.\n").make_parents(true).await?;
    let written = files.write("/recipes/tea.md", "Green tea wants 70 degrees.\n").await?;
    files.set_metadata("/recipes/tea.md", [("kind", "drink")]).await?;

    client.wait_for_views().min_revision(written.revision).await?;
    let found = client.search("how do I bake a loaf?").scope("/recipes").limit(1).await?;
    for hit in &found.hits {
        println!("{}: {}", hit.file.path, hit.passage.as_ref().map_or("", |passage| passage.text.trim()));
    }

    let drinks = client.search("warm").scope("/recipes").filter(Filter::metadata("kind").equals("drink")).await?;
    println!("{} drink", drinks.hits.len());

    let mut entries = files.list("/recipes").items();
    while let Some(file) = entries.next().await {
        let file = file?;
        println!("{} {} bytes", file.path, file.size_bytes);
    }

    match files.read("/recipes/cake.md").await {
        Ok(content) => println!("{} bytes", content.len()),
        Err(error) if error.reason() == Some(Reason::FileNotFound) => println!("no cake"),
        Err(error) if error.kind() == ErrorKind::Unavailable => println!("tried {} times", error.attempts()),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
