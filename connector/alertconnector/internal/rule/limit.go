// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rule

import "math"

// Kind is the comparison of a limit.
type Kind int

// Kinds of limits. All are strict: a value that equals a limit does not breach it.
const (
	Above Kind = iota
	Below
	Outside // the value's magnitude is above
	Inside  // the value's magnitude is below
	AbovePercentOfBaseline
	BelowPercentOfBaseline
	Never // never breached: only no_data fires
)

// Limit is a bound that values breach, or not.
type Limit struct {
	Kind  Kind
	Value float64 // in the metric's unit, or percent
}

// NeedsBaseline reports whether the bound depends on the baseline.
func (l Limit) NeedsBaseline() bool {
	return l.Kind == AbovePercentOfBaseline || l.Kind == BelowPercentOfBaseline
}

// Bound returns the bound in the metric's unit.
func (l Limit) Bound(baseline float64) float64 {
	if l.NeedsBaseline() {
		return baseline * l.Value / 100
	}
	return l.Value
}

// Breached reports whether a value breaches the limit.
func (l Limit) Breached(value, baseline float64) bool {
	bound := l.Bound(baseline)
	switch l.Kind {
	case Below, BelowPercentOfBaseline:
		return value < bound
	case Outside:
		return math.Abs(value) > bound
	case Inside:
		return math.Abs(value) < bound
	case Never:
		return false
	default:
		return value > bound
	}
}
