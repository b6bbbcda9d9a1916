package vexfs

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Filter is a tree of conditions on metadata and attributes: which files a search or a query may answer. [All], [Any] and [Not]
// join conditions, functions such as [MetadataEquals] and [NameMatches] make them. A nil *Filter lets everything pass.
type Filter struct {
	node *pb.Filter
	err  error
}

// NumberRange is a range of numbers; a bound that is nil is open.
type NumberRange struct {
	// GT is what the number is greater than.
	GT *float64
	// GTE is what the number is greater than or equal to.
	GTE *float64
	// LT is what the number is less than.
	LT *float64
	// LTE is what the number is less than or equal to.
	LTE *float64
}

// TimeRange is a span of time; a bound that is nil is open.
type TimeRange struct {
	// From is when the span begins, itself included.
	From *time.Time
	// Until is when it ends, itself not included.
	Until *time.Time
}

// All demands that every one of the filters holds.
func All(filters ...*Filter) *Filter {
	list, err := filterList(filters)
	return &Filter{&pb.Filter{Node: &pb.Filter_All{All: list}}, err}
}

// Any demands that at least one of the filters holds.
func Any(filters ...*Filter) *Filter {
	list, err := filterList(filters)
	return &Filter{&pb.Filter{Node: &pb.Filter_Any{Any: list}}, err}
}

// Not demands that the filter does not hold.
func Not(filter *Filter) *Filter {
	list, err := filterList([]*Filter{filter})
	return &Filter{&pb.Filter{Node: &pb.Filter_Negated{Negated: list.GetFilters()[0]}}, err}
}

// MetadataEquals demands that the metadata at key is this string, number, bool or nil. Keys of objects in objects are joined by
// dots, as in "author.name"; an array passes if one of its elements does.
func MetadataEquals(key string, value any) *Filter {
	v, err := filterValue(key, value)
	return metadataFilter(err, &pb.MetadataCondition{Key: key, Test: &pb.MetadataCondition_Equals{Equals: v}})
}

// MetadataOneOf demands that the metadata at key is one of these strings, numbers, bools or nils.
func MetadataOneOf(key string, values ...any) *Filter {
	list, failed := &pb.ValueList{}, error(nil)
	for _, value := range values {
		v, err := filterValue(key, value)
		if err != nil {
			failed = err
		}
		list.Values = append(list.Values, v)
	}
	return metadataFilter(failed, &pb.MetadataCondition{Key: key, Test: &pb.MetadataCondition_OneOf{OneOf: list}})
}

// MetadataRange demands that the metadata at key is a number in the range.
func MetadataRange(key string, numbers NumberRange) *Filter {
	return metadataFilter(nil, &pb.MetadataCondition{Key: key, Test: &pb.MetadataCondition_Range{Range: numbers.message()}})
}

// MetadataPrefix demands that the metadata at key is a string that starts so.
func MetadataPrefix(key, prefix string) *Filter {
	return metadataFilter(nil, &pb.MetadataCondition{Key: key, Test: &pb.MetadataCondition_Prefix{Prefix: prefix}})
}

// MetadataExists demands that there is something at key, or, with exists false, that there is nothing.
func MetadataExists(key string, exists bool) *Filter {
	return metadataFilter(nil, &pb.MetadataCondition{Key: key, Test: &pb.MetadataCondition_Exists{Exists: exists}})
}

// SizeIn demands that the length of the content is in the range.
func SizeIn(bytes NumberRange) *Filter {
	return attributeFilter(&pb.AttributeCondition{Test: &pb.AttributeCondition_SizeBytes{SizeBytes: bytes.message()}})
}

// MtimeIn demands that the last change of the content lies in the span.
func MtimeIn(span TimeRange) *Filter {
	return attributeFilter(&pb.AttributeCondition{Test: &pb.AttributeCondition_Mtime{Mtime: span.message()}})
}

// BtimeIn demands that the creation lies in the span.
func BtimeIn(span TimeRange) *Filter {
	return attributeFilter(&pb.AttributeCondition{Test: &pb.AttributeCondition_Btime{Btime: span.message()}})
}

// NameMatches demands that the file's name matches a shell pattern: *, ? and […].
func NameMatches(pattern string) *Filter {
	return attributeFilter(&pb.AttributeCondition{Test: &pb.AttributeCondition_Name{Name: pattern}})
}

// OwnedBy demands this owner.
func OwnedBy(uid uint32) *Filter {
	return attributeFilter(&pb.AttributeCondition{Test: &pb.AttributeCondition_Uid{Uid: uid}})
}

// OwnedByGroup demands this owning group.
func OwnedByGroup(gid uint32) *Filter {
	return attributeFilter(&pb.AttributeCondition{Test: &pb.AttributeCondition_Gid{Gid: gid}})
}

// message is the filter as it is sent, nil for none; the error is that of a value which cannot be sent.
func (f *Filter) message() (*pb.Filter, error) {
	if f == nil {
		return nil, nil
	}
	return f.node, f.err
}

func filterList(filters []*Filter) (list *pb.FilterList, failed error) {
	list = &pb.FilterList{}
	for _, filter := range filters {
		node, err := filter.message()
		if err == nil && node == nil {
			err = invalid(fmt.Errorf("a filter inside another is nil"))
		}
		if failed == nil {
			failed = err
		}
		list.Filters = append(list.Filters, node)
	}
	return list, failed
}

func filterValue(key string, value any) (*structpb.Value, error) {
	v, err := structpb.NewValue(value)
	if err != nil {
		return nil, invalid(fmt.Errorf("the filter on %q: %w", key, err))
	}
	return v, nil
}

func metadataFilter(err error, condition *pb.MetadataCondition) *Filter {
	return &Filter{&pb.Filter{Node: &pb.Filter_Metadata{Metadata: condition}}, err}
}

func attributeFilter(condition *pb.AttributeCondition) *Filter {
	return &Filter{&pb.Filter{Node: &pb.Filter_Attribute{Attribute: condition}}, nil}
}

func (r NumberRange) message() *pb.NumberRange {
	return &pb.NumberRange{Gt: r.GT, Gte: r.GTE, Lt: r.LT, Lte: r.LTE}
}

func (r TimeRange) message() *pb.TimeRange {
	return &pb.TimeRange{From: timestamp(r.From), Until: timestamp(r.Until)}
}
