package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/vexfs/vexfs/sdk-go"
	"github.com/vexfs/vexfs/sdk-go/conformance/internal/adapterpb"
)

// invocation is one call on its way through the SDK.
type invocation struct {
	client *vexfs.Client
	call   *adapterpb.Call
	info   vexfs.CallInfo
}

// handler makes the call and returns the response, without its revision where only the CallInfo tells it.
type handler func(ctx context.Context, v *invocation) (object, error)

// handlers are the methods that answer one message, by their names in the contract.
var handlers = map[string]handler{
	"StatFile": with(statFile), "ListFiles": with(listFiles), "GetContent": with(getContent), "WriteFile": writeFile,
	"PutContent": with(putContent), "MakeDirectory": with(makeDirectory), "MoveFile": with(moveFile),
	"CopyFile": with(copyFile), "RemoveFile": with(removeFile), "CreateSymlink": with(createSymlink),
	"ReadSymlink": with(readSymlink), "CreateLink": with(createLink), "SetAttributes": with(setAttributes),
	"GetXattr": with(getXattr), "SetXattr": with(setXattr), "ListXattrs": with(listXattrs),
	"RemoveXattr": with(removeXattr), "GetMetadata": with(getMetadata), "SetMetadata": with(setMetadata),
	"CreateCollection": with(createCollection), "GetCollection": with(getCollection),
	"ListCollections": with(listCollections), "DeleteCollection": with(deleteCollection),
	"UpsertPoints": with(upsertPoints), "UpsertPointsStream": upsertPointsStream,
	"GetPoints": with(getPoints), "DeletePoints": with(deletePoints), "ListPoints": with(listPoints), "QueryPoints": with(queryPoints), "Search": with(search),
	"BatchQueryPoints": with(batchQueryPoints), "BatchSearch": with(batchSearch),
	"WaitForViews": with(waitForViews), "ListSkippedFiles": with(listSkippedFiles), "GetServerInfo": with(getServerInfo),
}

// with makes a handler of a function that takes the decoded request.
func with[T any](f func(context.Context, *invocation, *T) (object, error)) handler {
	return func(ctx context.Context, v *invocation) (object, error) {
		request, err := decode[T](v.call.GetRequests()[0])
		if err != nil {
			return nil, err
		}
		return f(ctx, v, &request)
	}
}

// invoke makes one call and returns its responses in protojson.
func invoke(ctx context.Context, client *vexfs.Client, call *adapterpb.Call) ([]string, error) {
	if len(call.GetRequests()) == 0 {
		return nil, errors.New("the call has no request")
	}
	_, name, _ := strings.Cut(call.GetMethod(), "/")
	v := &invocation{client: client, call: call}
	ctx = vexfs.WithCallInfo(ctx, &v.info)
	if name == "ReadFile" {
		return readFile(ctx, v)
	}
	handle, known := handlers[name]
	if !known {
		return nil, unsupported("the method " + call.GetMethod())
	}
	response, err := handle(ctx, v)
	if err != nil {
		return nil, err
	}
	if _, told := response["revision"]; !told {
		response["revision"] = v.info.Revision
	}
	return encode(response)
}

func encode(responses ...object) ([]string, error) {
	messages := make([]string, len(responses))
	for i, response := range responses {
		text, err := json.Marshal(response)
		if err != nil {
			return nil, fmt.Errorf("the response %v: %w", response, err)
		}
		messages[i] = string(text)
	}
	return messages, nil
}

// collect walks a list to its end, or as far as the call wants.
func collect[T any](v *invocation, list iter.Seq2[T, error], convert func(T) any) ([]any, error) {
	if v.call.GetPaging() == adapterpb.Paging_PAGING_ONE_PAGE {
		return nil, unsupported("one page of a list: the SDK's lists page by themselves")
	}
	items := []any{}
	if v.call.Take != nil && v.call.GetTake() == 0 {
		return items, nil
	}
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		items = append(items, convert(item))
		if v.call.Take != nil && len(items) == int(v.call.GetTake()) {
			break
		}
	}
	return items, nil
}

// filed is a response that holds a file.
func filed(file *vexfs.File, err error) (object, error) {
	return object{"file": fileJSON(file)}, err
}
