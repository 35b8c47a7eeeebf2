// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rule

import "math"

// Kind is how a limit compares.
type Kind int

// Kinds of limits. All are strict: a value that equals a limit is not beyond it.
const (
	Above Kind = iota
	Below
	Outside // the value's magnitude is above
	Inside  // the value's magnitude is below
	AbovePercentOfBaseline
	BelowPercentOfBaseline
	Never // nothing is beyond it: only silence fires
)

// Limit is a line that values are beyond, or not.
type Limit struct {
	Kind  Kind
	Value float64 // in the metric's unit, or percent
}

// NeedsBaseline says that the line moves with the baseline.
func (l Limit) NeedsBaseline() bool {
	return l.Kind == AbovePercentOfBaseline || l.Kind == BelowPercentOfBaseline
}

// Line is where the limit stands, in the metric's unit.
func (l Limit) Line(baseline float64) float64 {
	if l.NeedsBaseline() {
		return baseline * l.Value / 100
	}
	return l.Value
}

// Beyond says that a value is beyond the limit.
func (l Limit) Beyond(value, baseline float64) bool {
	line := l.Line(baseline)
	switch l.Kind {
	case Below, BelowPercentOfBaseline:
		return value < line
	case Outside:
		return math.Abs(value) > line
	case Inside:
		return math.Abs(value) < line
	case Never:
		return false
	default:
		return value > line
	}
}
