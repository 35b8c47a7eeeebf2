// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"math"
	"slices"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

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
		if a := &alerts[i]; a.series != nil {
			if f == nil {
				f = e.firingStates()
			}
			a.Unsettled = true
			f.settle(a)
		}
	}
}

// Settle sets the fault domains of unsettled alerts again, after further windows. It reports
// whether one has changed, and whether one is still unsettled.
func (e *Engine) Settle(alerts []Alert) (changed, unsettled bool) {
	f := e.firingStates()
	for i := range alerts {
		if a := &alerts[i]; a.Unsettled {
			before := a.FaultDomain
			f.settle(a)
			changed = changed || a.FaultDomain != before
			unsettled = unsettled || a.Unsettled
		}
	}
	return changed, unsettled
}

// settle sets the fault domain of an alert. It stays unsettled while a tenant of the region does
// not have the window of the alert yet, because that can make it one of the platform; the same for the clocks of all streams.
func (f *firingStates) settle(a *Alert) {
	a.FaultDomain = f.domain(a.series)
	if *a.domain != a.FaultDomain {
		*a.domain, a.series.changed = a.FaultDomain, true
	}
	if a.Value == nil || a.FaultDomain == DomainHere || f.reached(a.series) >= a.End {
		a.Unsettled, a.series, a.domain = false, nil, nil
	}
}

// firingStates are the firing states that decide fault domains.
type firingStates struct {
	engine  *Engine
	local   map[stream]bool             // alerts about the collector itself
	clock   bool                        // the skew of all streams, and of two at least
	skewing bool                        // the skew of one at least
	rules   map[*Rule]map[string]region // by name
}

// region is the state of a rule in a region.
type region struct {
	joint   bool  // it fires for all tenants, and for two at least
	reached int64 // the window that each series with recent windows has reached
}

func (e *Engine) firingStates() *firingStates {
	f := &firingStates{engine: e, local: map[stream]bool{}, rules: map[*Rule]map[string]region{}}
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
			for of, fires := range e.states(i, (*Series).stream) {
				skewed[of] = skewed[of] || fires
				f.skewing = f.skewing || fires
			}
		}
	}
	f.clock = all(skewed)
	return f
}

// states returns, for each group of the series of a rule, whether one of them fires. A series
// that has no recent window counts where it fires.
func (e *Engine) states(position int, group func(*Series) stream) map[stream]bool {
	newest := e.newest(position)
	states := map[stream]bool{}
	for _, s := range e.series[position] {
		fires := s.firing() || s.noDataFiring()
		if s.recent(newest) || fires {
			states[group(s)] = states[group(s)] || fires
		}
	}
	return states
}

// newest returns the end of the newest window of a rule.
func (e *Engine) newest(position int) (newest int64) {
	for _, s := range e.series[position] {
		newest = max(newest, s.end)
	}
	return newest
}

// recent reports whether the series has a window not long before that time.
func (s *Series) recent(newest int64) bool { return newest-s.end <= 3*s.step() }

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
func (f *firingStates) jointly(r *Rule, name string) bool { return f.regions(r)[name].joint }

// reached returns the window that the series of the same rule and region have reached, and, once
// a clock is skewed, those of all clocks.
func (f *firingStates) reached(s *Series) int64 {
	reached := f.regions(s.rule)[s.stream().region].reached
	if !f.skewing {
		return reached
	}
	for _, r := range f.engine.rules {
		if r.Metric == clockMetric {
			for _, of := range f.regions(r) {
				reached = min(reached, of.reached)
			}
		}
	}
	return reached
}

// regions returns the state of a rule in each region.
func (f *firingStates) regions(r *Rule) map[string]region {
	regions, known := f.rules[r]
	if known {
		return regions
	}
	regions = map[string]region{}
	f.rules[r] = regions
	position := slices.Index(f.engine.rules, r)
	if position < 0 {
		return regions
	}
	byRegion := map[string]map[stream]bool{}
	for of, fires := range f.engine.states(position, (*Series).stream) {
		if byRegion[of.region] == nil {
			byRegion[of.region] = map[stream]bool{}
		}
		byRegion[of.region][of] = fires
	}
	for name, tenants := range byRegion {
		regions[name] = region{joint: all(tenants), reached: math.MaxInt64}
	}
	newest := f.engine.newest(position)
	for _, s := range f.engine.series[position] {
		if name := s.stream().region; s.recent(newest) {
			of := regions[name]
			of.reached = min(of.reached, s.end)
			regions[name] = of
		}
	}
	return regions
}
