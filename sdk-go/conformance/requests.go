package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/vexfs/vexfs/sdk-go"
)

// decode reads a request; a field that the adapter does not know is a fault of the adapter.
func decode[T any](text string) (T, error) {
	var value T
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		return value, fmt.Errorf("the request %s: %w", text, err)
	}
	return value, nil
}

// number is an integer in protojson: a number, or a string of one.
type number int64

// UnmarshalJSON reads both forms.
func (n *number) UnmarshalJSON(text []byte) error {
	value, err := strconv.ParseInt(string(bytes.Trim(text, `"`)), 10, 64)
	*n = number(value)
	return err
}

// narrow is a number as the type that the SDK's signature has.
func narrow[T int32 | uint32](n number) (T, error) {
	if int64(T(n)) != int64(n) {
		return 0, unsupported(fmt.Sprintf("%d is no %T", n, T(0)))
	}
	return T(n), nil
}

// narrowPtr is the same for a field that may be missing.
func narrowPtr(n *number) (*uint32, error) {
	if n == nil {
		return nil, nil
	}
	value, err := narrow[uint32](*n)
	return &value, err
}

func int64Ptr(n *number) *int64 {
	if n == nil {
		return nil
	}
	return vexfs.Ptr(int64(*n))
}

// fileRef is how a file is named.
type fileRef struct {
	Path      *string `json:"path"`
	ID        *number `json:"id"`
	PathBytes *[]byte `json:"path_bytes"`
	Follow    bool    `json:"follow"`
}

// ref is the SDK's reference; of nothing, its zero value.
func (f *fileRef) ref() vexfs.FileRef {
	var ref vexfs.FileRef
	switch {
	case f == nil:
		return ref
	case f.Path != nil:
		ref = vexfs.Path(*f.Path)
	case f.ID != nil:
		ref = vexfs.ID(int64(*f.ID))
	case f.PathBytes != nil:
		ref = vexfs.PathBytes(*f.PathBytes)
	}
	if f.Follow {
		ref = ref.Follow()
	}
	return ref
}

// vector is packed floats in protojson.
type vector struct {
	Values []byte `json:"values"`
}

func (v *vector) floats() ([]float32, error) {
	if v == nil {
		return nil, nil
	}
	if len(v.Values)%4 != 0 {
		return nil, unsupported(fmt.Sprintf("a vector of %d bytes: the SDK takes []float32", len(v.Values)))
	}
	floats := make([]float32, len(v.Values)/4)
	for i := range floats {
		floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(v.Values[4*i:]))
	}
	return floats, nil
}

func pack(floats []float32) map[string]any {
	var packed []byte
	for _, value := range floats {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(value))
	}
	return map[string]any{"values": base64.StdEncoding.EncodeToString(packed)}
}

// enum is an enum in protojson: a name, or a number.
type enum json.RawMessage

// UnmarshalJSON keeps the text for valueOf.
func (e *enum) UnmarshalJSON(text []byte) error {
	*e = append((*e)[:0], text...)
	return nil
}

// valueOf is the SDK's constant of that name or number; of nothing, its zero value.
func valueOf[T interface {
	~int
	String() string
}](e enum) (T, error) {
	if len(e) == 0 {
		return 0, nil
	}
	if value, err := strconv.Atoi(string(e)); err == nil {
		return T(value), nil
	}
	var name string
	if err := json.Unmarshal(e, &name); err != nil {
		return 0, err
	}
	for value := range 16 {
		if T(value).String() == name {
			return T(value), nil
		}
	}
	return 0, unsupported("no constant is called " + name)
}
