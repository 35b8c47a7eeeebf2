// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rule

import "fmt"

// Cause is the cause of a decision.
type Cause string

// Causes of decisions.
const (
	Within    Cause = "within threshold"
	Learning  Cause = "learning the baseline"
	Excluded  Cause = "excluded"
	Muted     Cause = "muted"
	Run       Cause = "run"
	Fired     Cause = "beyond threshold"
	Firing    Cause = "still firing"
	Clearing  Cause = "clear run"
	Cleared   Cause = "clear"
	Repeated  Cause = "still firing, repeated"
	Silent    Cause = "no data"
	DataAgain Cause = "data again"
	Expired   Cause = "no data, given up"
	RuleGone  Cause = "rule or severity removed"
	ClockSet  Cause = "clock set back"
)

// Reason is a cause and, where windows are counted, how many of how many.
type Reason struct {
	Cause    Cause
	Have, Of int
}

func (r Reason) String() string {
	if r.Of > 0 {
		return fmt.Sprintf("%s %d of %d", r.Cause, r.Have, r.Of)
	}
	return string(r.Cause)
}
