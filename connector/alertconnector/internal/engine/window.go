// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
)

// Attribute is a name and its value, as text.
type Attribute struct {
	Name  string `json:"n"`
	Value string `json:"v"`
}

// Attributes are sorted by name.
type Attributes []Attribute

// Get returns the value of a name.
func (a Attributes) Get(name string) (string, bool) {
	i, ok := slices.BinarySearchFunc(a, name, func(x Attribute, name string) int { return strings.Compare(x.Name, name) })
	if !ok {
		return "", false
	}
	return a[i].Value, true
}

// Map returns the attributes by name.
func (a Attributes) Map() map[string]string {
	m := make(map[string]string, len(a))
	for _, attribute := range a {
		m[attribute.Name] = attribute.Value
	}
	return m
}

// key identifies a set of attributes.
func (a Attributes) key() string {
	var b strings.Builder
	for _, attribute := range a {
		b.WriteString(attribute.Name)
		b.WriteByte(0)
		b.WriteString(attribute.Value)
		b.WriteByte(0)
	}
	return b.String()
}

// Value is the value of a metric in a window.
type Value struct {
	Metric  string
	Value   float64
	Running bool // a cumulative monotonic sum
}

// Window holds the values of one set of attributes and end.
type Window struct {
	Attributes Attributes
	Start, End int64 // Start is 0 where the points have no window
	Incomplete bool
	Values     []Value
	Traces     []string // IDs of sampled sessions that were dropped in it
}

func (w *Window) value(metric string) (Value, bool) {
	for _, v := range w.Values {
		if v.Metric == metric {
			return v, true
		}
	}
	return Value{}, false
}
