// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "github.com/otelcol-ccaas/otelcol-ccaas/wsevent"

// Fault domains: where the cause of an alert is.
const (
	DomainHere     = "here"     // the collector: a gap, its clock, backpressure
	DomainPlatform = "platform" // all tenants of a region at once
	DomainTenant   = "tenant"   // one tenant
)

// clockMetric is the skew between the collector's clock and a platform's.
const clockMetric = "ws.clock.skew"

// localMetrics are metrics whose alerts are about the collector itself.
var localMetrics = map[string]bool{"ws.window.complete": true, "ws.backpressure.events": true}

// stream is a tenant and a region; either is empty where series do not have it.
type stream struct{ tenant, region string }

func (s *Series) stream() stream {
	tenant, _ := s.attributes.Get(wsevent.TenantID)
	region, _ := s.attributes.Get(wsevent.Region)
	return stream{tenant, region}
}

// setDomains sets the fault domain of alerts that fire, from the firing states after the
// batch, whatever the order of the windows in it. A resolved alert has that of its firing.
func (e *Engine) setDomains(alerts []Alert) {
	var f *firingStates
	for i := range alerts {
		a := &alerts[i]
		if a.series == nil {
			continue
		}
		if f == nil {
			f = e.firingStates()
		}
		a.FaultDomain = f.domain(a.series)
		*a.domain = a.FaultDomain
		a.series, a.domain = nil, nil
	}
}

// firingStates are the firing states that decide fault domains.
type firingStates struct {
	engine *Engine
	local  map[stream]bool           // alerts about the collector itself
	clock  bool                      // the skew of all streams, and of two at least
	joint  map[*Rule]map[string]bool // by region: all tenants, and two at least
}

func (e *Engine) firingStates() *firingStates {
	f := &firingStates{engine: e, local: map[stream]bool{}, joint: map[*Rule]map[string]bool{}}
	skewed := map[stream]bool{}
	for i, r := range e.rules {
		switch {
		case localMetrics[r.Metric]:
			for _, s := range e.series[i] {
				if s.firing() || s.noDataFiring() {
					f.local[s.stream()] = true
				}
			}
		case r.Metric == clockMetric:
			for of, fires := range e.states(i, func(s *Series) stream { return s.stream() }) {
				skewed[of] = skewed[of] || fires
			}
		}
	}
	f.clock = all(skewed)
	return f
}

// states returns, for each group of the series of a rule, whether one of them fires. A series
// that has no recent window counts where it fires.
func (e *Engine) states(position int, group func(*Series) stream) map[stream]bool {
	newest := int64(0)
	for _, s := range e.series[position] {
		newest = max(newest, s.end)
	}
	states := map[stream]bool{}
	for _, s := range e.series[position] {
		fires := s.firing() || s.noDataFiring()
		if recent := newest-s.end <= 3*s.step(); recent || fires {
			states[group(s)] = states[group(s)] || fires
		}
	}
	return states
}

// all reports whether there are at least two, and all of them are true.
func all(states map[stream]bool) bool {
	for _, fires := range states {
		if !fires {
			return false
		}
	}
	return len(states) > 1
}

// domain returns the fault domain of a series that fires.
func (f *firingStates) domain(s *Series) string {
	at := s.stream()
	switch {
	case localMetrics[s.rule.Metric], f.clock,
		f.local[at], f.local[stream{tenant: at.tenant}], f.local[stream{region: at.region}], f.local[stream{}]:
		return DomainHere
	case s.rule.Metric == clockMetric, at.tenant == "", f.jointly(s.rule, at.region):
		return DomainPlatform
	default:
		return DomainTenant
	}
}

// jointly reports whether a rule fires for all tenants of a region, and for two at least.
func (f *firingStates) jointly(r *Rule, region string) bool {
	regions, known := f.joint[r]
	if !known {
		regions = map[string]bool{}
		byRegion := map[string]map[stream]bool{}
		for i := range f.engine.rules {
			if f.engine.rules[i] != r {
				continue
			}
			for of, fires := range f.engine.states(i, func(s *Series) stream { return s.stream() }) {
				if byRegion[of.region] == nil {
					byRegion[of.region] = map[stream]bool{}
				}
				byRegion[of.region][of] = fires
			}
		}
		for name, tenants := range byRegion {
			regions[name] = all(tenants)
		}
		f.joint[r] = regions
	}
	return regions[region]
}
