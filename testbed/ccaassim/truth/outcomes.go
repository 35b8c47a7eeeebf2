// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// Outcome is what happened to an event, the best first.
type Outcome uint8

// The outcomes of an event.
const (
	Sent         Outcome = iota
	Unsure               // the write failed half way
	Missed               // no socket was ready
	Unsubscribed         // no socket that was ready is subscribed to it
	outcomes
)

// String is the outcome as the truth and the recorded events name it.
func (o Outcome) String() string { return [outcomes]string{"sent", "unsure", "missed", "unheard"}[o] }

// API numbers the APIs in the order of their registration.
type API int

// Batch is a batch and the outcome of its items at each API.
type Batch struct {
	traffic.Batch

	Outcomes   [][]Outcome // by API and item
	InUse      []bool      // by API: it has had a socket
	SentFrames int64
	SentBytes  int64
}

// NewBatch makes an empty batch for a number of APIs.
func NewBatch(apis int) Batch {
	return Batch{Outcomes: make([][]Outcome, apis), InUse: make([]bool, apis)}
}

// Reset empties the batch. Which APIs have had a socket stays.
func (b *Batch) Reset() {
	b.Batch.Reset()
	b.SentFrames, b.SentBytes = 0, 0
}

// Expect sets the outcome of all items at an API to what it is without a write.
func (b *Batch) Expect(a API, o Outcome) {
	expected := b.Outcomes[a][:0]
	for range b.Items {
		expected = append(expected, o)
	}
	b.Outcomes[a] = expected
}

// Note records the outcome of a write of an item, if it is better than the present one.
func (b *Batch) Note(a API, n int, o Outcome) {
	b.Outcomes[a][n] = min(b.Outcomes[a][n], o)
}

// Outcome is the best outcome of an item.
func (b *Batch) Outcome(n int) Outcome {
	best, used := Unsubscribed, false
	for a := range b.Outcomes {
		if b.InUse[a] {
			best, used = min(best, b.Outcomes[a][n]), true
		}
	}
	if !used {
		return Missed
	}
	return best
}
