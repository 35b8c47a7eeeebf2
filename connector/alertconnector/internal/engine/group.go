// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strconv"

// group collects the windows that By puts into one.
type group struct {
	position int            // among the samples
	count    map[string]int // of values, by metric
}

// group adds a window to the sample of its series and end.
func (r *Rule) group(found []Window, groups map[string]*group, w *Window) []Window {
	attributes := make(Attributes, 0, len(r.By))
	for _, name := range r.By {
		if value, ok := w.Attributes.Get(name); ok {
			attributes = append(attributes, Attribute{Name: name, Value: value})
		}
	}
	key := attributes.key() + strconv.FormatInt(w.End, 36)
	g, ok := groups[key]
	if !ok {
		g = &group{position: len(found), count: map[string]int{}}
		groups[key] = g
		found = append(found, Window{Attributes: attributes, Start: w.Start, End: w.End})
	}
	sample := &found[g.position]
	sample.Incomplete = sample.Incomplete || w.Incomplete
	for _, v := range w.Values {
		g.count[v.Metric]++
		sample.merge(v, r.Aggregate)
	}
	return found
}

func (w *Window) merge(v Value, how Aggregate) {
	for i := range w.Values {
		into := &w.Values[i]
		if into.Metric != v.Metric {
			continue
		}
		switch how {
		case Max:
			into.Value = max(into.Value, v.Value)
		case Min:
			into.Value = min(into.Value, v.Value)
		default:
			into.Value += v.Value
		}
		return
	}
	w.Values = append(w.Values, v)
}

func (g *group) finish(w *Window, how Aggregate) {
	if how != Mean {
		return
	}
	for i := range w.Values {
		w.Values[i].Value /= float64(g.count[w.Values[i].Metric])
	}
}
