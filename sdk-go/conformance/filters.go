package main

import (
	"encoding/json"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

// filter is a filter as the request has it.
type filter struct {
	All       *filterList         `json:"all"`
	Any       *filterList         `json:"any"`
	Negated   *filter             `json:"negated"`
	Metadata  *metadataCondition  `json:"metadata"`
	Attribute *attributeCondition `json:"attribute"`
}

type filterList struct {
	Filters []*filter `json:"filters"`
}

type metadataCondition struct {
	Key    string          `json:"key"`
	Equals json.RawMessage `json:"equals"`
	OneOf  *struct {
		Values []any `json:"values"`
	} `json:"one_of"`
	Range  *numberRange `json:"range"`
	Prefix *string      `json:"prefix"`
	Exists *bool        `json:"exists"`
}

type attributeCondition struct {
	SizeBytes *numberRange `json:"size_bytes"`
	Mtime     *timeRange   `json:"mtime"`
	Btime     *timeRange   `json:"btime"`
	Name      *string      `json:"name"`
	UID       *number      `json:"uid"`
	GID       *number      `json:"gid"`
}

type numberRange struct {
	GT  *float64 `json:"gt"`
	GTE *float64 `json:"gte"`
	LT  *float64 `json:"lt"`
	LTE *float64 `json:"lte"`
}

type timeRange struct {
	From  *time.Time `json:"from"`
	Until *time.Time `json:"until"`
}

// sdk is the filter as a user of the SDK would make it; nil for none.
func (f *filter) sdk() (*vexfs.Filter, error) {
	switch {
	case f == nil:
		return nil, nil
	case f.All != nil:
		filters, err := f.All.sdk()
		return vexfs.All(filters...), err
	case f.Any != nil:
		filters, err := f.Any.sdk()
		return vexfs.Any(filters...), err
	case f.Negated != nil:
		negated, err := f.Negated.sdk()
		return vexfs.Not(negated), err
	case f.Metadata != nil:
		return f.Metadata.sdk()
	case f.Attribute != nil:
		return f.Attribute.sdk()
	}
	return nil, unsupported("a filter without a condition")
}

func (l *filterList) sdk() ([]*vexfs.Filter, error) {
	filters := make([]*vexfs.Filter, len(l.Filters))
	for i, filter := range l.Filters {
		var err error
		if filters[i], err = filter.sdk(); err != nil {
			return nil, err
		}
	}
	return filters, nil
}

func (c *metadataCondition) sdk() (*vexfs.Filter, error) {
	switch {
	case c.Equals != nil:
		var value any
		err := json.Unmarshal(c.Equals, &value)
		return vexfs.MetadataEquals(c.Key, value), err
	case c.OneOf != nil:
		return vexfs.MetadataOneOf(c.Key, c.OneOf.Values...), nil
	case c.Range != nil:
		return vexfs.MetadataRange(c.Key, vexfs.NumberRange(*c.Range)), nil
	case c.Prefix != nil:
		return vexfs.MetadataPrefix(c.Key, *c.Prefix), nil
	case c.Exists != nil:
		return vexfs.MetadataExists(c.Key, *c.Exists), nil
	}
	return nil, unsupported("a condition on metadata without a test")
}

func (c *attributeCondition) sdk() (*vexfs.Filter, error) {
	switch {
	case c.SizeBytes != nil:
		return vexfs.SizeIn(vexfs.NumberRange(*c.SizeBytes)), nil
	case c.Mtime != nil:
		return vexfs.MtimeIn(vexfs.TimeRange(*c.Mtime)), nil
	case c.Btime != nil:
		return vexfs.BtimeIn(vexfs.TimeRange(*c.Btime)), nil
	case c.Name != nil:
		return vexfs.NameMatches(*c.Name), nil
	case c.UID != nil:
		uid, err := narrow[uint32](*c.UID)
		return vexfs.OwnedBy(uid), err
	case c.GID != nil:
		gid, err := narrow[uint32](*c.GID)
		return vexfs.OwnedByGroup(gid), err
	}
	return nil, unsupported("a condition on attributes without a test")
}
