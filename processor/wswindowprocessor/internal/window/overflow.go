// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// overflow is the set of tags that everything is counted under past max_series.
var overflow = wsevent.Tags{Overflow: true}

// maxDimension is how long a dimension may be, in bytes. Receivers have a shorter limit;
// whatever comes in another way is counted under the overflow set past this one.
const maxDimension = 1024

// countable gives the set of tags to count under.
func countable(tags wsevent.Tags) wsevent.Tags {
	if max(len(tags.TenantID), len(tags.Region), len(tags.ChannelType)) > maxDimension {
		return overflow
	}
	return tags
}

// owned gives tags that keep nothing of a batch in memory.
func owned(tags wsevent.Tags) wsevent.Tags {
	return wsevent.Tags{
		TenantID: strings.Clone(tags.TenantID), Region: strings.Clone(tags.Region), ChannelType: strings.Clone(tags.ChannelType),
		Overflow: tags.Overflow,
	}
}

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
		tags = owned(tags)
		return e.addStream(streamKey{tags.TenantID, tags.Region, tags.Overflow})
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
		tags = owned(tags)
		s = newSeries(tags, st, e.grid, t)
		s.number = len(st.series)
		e.series[tags] = s
		st.series = append(st.series, s)
	}
	return s
}
