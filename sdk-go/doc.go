// Package vexfs speaks to a VexFS server: files, collections of vectors, and search by meaning and by words.
//
// [New] makes a [Client]; its settings are options, VEXFS_* variables or defaults. The methods stand in groups ([Client.Files],
// [Client.Collections], [Client.Points]) and on the client itself ([Client.Search], [Client.ServerInfo] and others). A file is
// named by a [FileRef]: [Path], [ID] or [PathBytes].
//
// # Time-outs
//
// Every method takes a context first. A context with a deadline brings the call's own time-out; without one the client's
// time-out holds (30 seconds unless said otherwise), and [WithCallTimeout] sets another for calls under a context. It covers
// all attempts of the call and the pauses between them; for a stream ([FilesClient.Open], [FilesClient.Create]), everything
// until it is closed. Only [PointsClient.UpsertStream], which takes as long as its points do, has no time-out but the call's
// own. Cancelling the context ends the call on the server, too.
//
// # Trying again
//
// A call that failed with an error that can pass by itself is tried again, four attempts at most unless said otherwise. That is
// safe: what writes carries a request id that is the same on every attempt. A stream that writes is not tried again once it
// took a byte or a point. [WithCallInfo] tells how often a call was tried.
//
// # Errors
//
// What the server or the way to it refused is an [*Error]. Match it with [errors.Is] by code ([ErrNotFound]) or by reason
// ([ReasonFileNotFound]), never by its text; [errors.Is] with [io/fs.ErrNotExist], [io/fs.ErrExist], [io/fs.ErrPermission],
// [context.Canceled] and [context.DeadlineExceeded] works, too. A setting that cannot be used is a [*SettingError].
//
// # Options of a method
//
// Methods that can be asked for more than their arguments end with a variadic parameter of a struct, such as [WriteOptions]:
// give one, or none.
//
// A Client and its groups can be used from many goroutines at once; a [Reader] or [Writer] by one at a time.
package vexfs
