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

// overflowOf is the set that a tenant's events are counted under past
// max_series_per_tenant. It has a stream of its own.
func overflowOf(tenant string) wsevent.Tags { return wsevent.Tags{TenantID: tenant, Overflow: true} }

// usage is what a tenant, or everybody, has in use of the limits. Overflow sets are
// not in it.
type usage struct{ streams, series int }

func (u usage) full(limit int) bool { return u.series >= limit }

// reached reports whether there may be an overflow set.
func (u usage) reached(limit int) bool { return u.series >= limit || u.streams >= limit }

// use adds to what a tenant, and everybody, has in use.
func (e *Engine) use(tenant string, streams, series int) {
	e.used.streams += streams
	e.used.series += series
	of := e.usedBy[tenant]
	of.streams += streams
	of.series += series
	if of == (usage{}) {
		delete(e.usedBy, tenant)
		return
	}
	e.usedBy[tenant] = of
}

// streamOf gives the stream of a set of tags. There are at most max_series, those of a
// tenant at most max_series_per_tenant, and one for each overflow set.
func (e *Engine) streamOf(tags wsevent.Tags) *stream {
	key := streamKey{tags.TenantID, tags.Region, tags.Overflow}
	st, ok := e.streams[key]
	limit := e.config.MaxSeriesPerTenant
	switch {
	case ok:
		return st
	case tags.Overflow && limit > 0 && e.usedBy[tags.TenantID].reached(limit):
		return e.addStream(key)
	case tags.Overflow, e.used.streams >= e.config.MaxSeries:
		return e.streamOf(overflow)
	case limit > 0 && e.usedBy[tags.TenantID].streams >= limit:
		return e.streamOf(overflowOf(tags.TenantID))
	default:
		return e.addStream(key)
	}
}

func (e *Engine) addStream(key streamKey) *stream {
	key.tenant, key.region = strings.Clone(key.tenant), strings.Clone(key.region)
	st := &stream{key: key, number: len(e.numbered)}
	if last := len(e.vacant) - 1; last >= 0 {
		st.number, e.vacant = e.vacant[last], e.vacant[:last]
		e.numbered[st.number] = st
	} else {
		e.numbered = append(e.numbered, st)
	}
	e.streams[key] = st
	e.tenants[key.tenant] = append(e.tenants[key.tenant], st)
	if !key.overflow {
		e.use(key.tenant, 1, 0)
	}
	return st
}

// overflowFor gives the overflow set under which the events of a place are counted that
// have no series, where the limits leave no room for one.
func (e *Engine) overflowFor(p *place) (tags wsevent.Tags, full bool) {
	tenant, limit := p.group.Tags.TenantID, e.config.MaxSeriesPerTenant
	own := limit > 0 && !p.group.Tags.Overflow && (e.usedBy[tenant].full(limit) || p.home.key == streamKey{tenant: tenant, overflow: true})
	_, known := e.series[overflowOf(tenant)]
	switch {
	case own && (known || !e.used.full(e.config.MaxSeries)):
		return overflowOf(tenant), true
	case own, p.home.key.overflow, e.used.full(e.config.MaxSeries):
		return overflow, true
	default:
		return wsevent.Tags{}, false
	}
}

// seriesOf gives the series of a set of tags. A new one takes the place of one of its
// stream that is retired.
func (e *Engine) seriesOf(tags wsevent.Tags, st *stream, t int64) *series {
	s, ok := e.series[tags]
	if ok {
		return s
	}
	tags = owned(tags)
	s = newSeries(tags, st, e.grid, t)
	e.series[tags] = s
	if !tags.Overflow {
		e.use(tags.TenantID, 0, 1)
	}
	for i, old := range st.series {
		if old.retired {
			s.number, st.series[i] = i, s
			return s
		}
	}
	s.number = len(st.series)
	st.series = append(st.series, s)
	return s
}
