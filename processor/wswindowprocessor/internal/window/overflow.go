// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import "github.com/otelcol-ccaas/otelcol-ccaas/wsevent"

// overflow is the set of tags that everything is counted under past max_series.
var overflow = wsevent.Tags{Overflow: true}

// streamOf gives the stream of a set of tags. There are at most max_series, and
// one for the overflow set, which all further ones share.
func (e *Engine) streamOf(tags wsevent.Tags) *stream {
	key := streamKey{tags.TenantID, tags.Region, tags.Overflow}
	st, ok := e.streams[key]
	switch {
	case ok:
		return st
	case len(e.streams) > e.config.MaxSeries:
		return e.streamOf(overflow)
	default:
		return e.addStream(key)
	}
}

func (e *Engine) addStream(key streamKey) *stream {
	st := &stream{key: key, number: len(e.numbered)}
	e.streams[key] = st
	e.numbered = append(e.numbered, st)
	e.tenants[key.tenant] = append(e.tenants[key.tenant], st)
	return st
}

func (e *Engine) seriesOf(tags wsevent.Tags, st *stream, t int64) *series {
	s, ok := e.series[tags]
	if !ok {
		s = newSeries(tags, st, e.grid, t)
		s.number = len(st.series)
		e.series[tags] = s
		st.series = append(st.series, s)
	}
	return s
}
