// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
)

// Evaluation is the result of a window under a severity.
type Evaluation struct {
	Rule, Severity string
	Attributes     Attributes
	Start, End     int64
	Value          float64
	Baseline       *float64 // nil without one, and while it is learned
	Threshold      *float64 // nil while its baseline is learned
	For            int      // consecutive windows beyond the threshold before the alert fires
	Firing         bool
	Transition     rule.Transition
	Reason         rule.Reason
}

// Alert is an alert to be emitted.
type Alert struct {
	ID             string // the same for all of an episode
	Rule, Severity string
	Resolved       bool
	Attributes     Attributes
	Start, End     int64
	Value          *float64 // nil when there is no data
	Threshold      *float64
	Baseline       *float64
	Snapshot       []Value
	Traces         []string
	Reason         rule.Reason
	FaultDomain    string
	EndsAt         int64 // when a firing alert ends that is not emitted again; 0: not set
	// Unsettled is whether further windows of the same time can change FaultDomain: see Settle.
	Unsettled bool

	series *Series // of an alert that fires, until its fault domain is settled
	domain *string // of its level
}

func (e *Evaluation) alert(since int64, generation int, snapshot []Value) Alert {
	value := e.Value
	return Alert{
		ID:   episode(e.Rule, e.Severity, e.Attributes, "threshold", since, generation),
		Rule: e.Rule, Severity: e.Severity, Resolved: e.Transition == rule.Resolves, Attributes: e.Attributes,
		Start: e.Start, End: e.End, Value: &value, Threshold: e.Threshold, Baseline: e.Baseline,
		Snapshot: snapshot, Reason: e.Reason,
	}
}

// episode returns the id of an episode, a hash of what it is and when it began, so that it
// is the same when a crash makes it be emitted again. No other episode has it: of a series, none
// begins when another did, unless the clock was set back, which begins a generation.
func episode(ruleName, severity string, attributes Attributes, kind string, since int64, generation int) string {
	parts := []string{ruleName, severity, kind, strconv.FormatInt(since, 10), attributes.key()}
	if generation > 0 {
		parts = append(parts, strconv.Itoa(generation))
	}
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}
