// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

// Stats gives what was counted. It is not the caller's to change.
func (e *Engine) Stats() Stats { return e.stats }

// Count is how many series a rule has.
type Count struct {
	Rule     string
	Series   int
	Learning int
	Baseline bool // the rule has one
}

// Counts are the series of each rule.
func (e *Engine) Counts() []Count {
	counts := make([]Count, len(e.rules))
	for i, r := range e.rules {
		counts[i] = Count{Rule: r.Name, Series: len(e.series[i]), Baseline: r.Baseline != nil}
		for _, s := range e.series[i] {
			if s.learning {
				counts[i].Learning++
			}
		}
	}
	return counts
}
