// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package progress follows how far a partition has been read, in offsets and in
// time.
//
// A quiet partition and one that is far behind, or cannot be reached, look the same
// to whoever only waits for messages. So the partition is asked now and then where
// its end is. When reading gets there, everything is known that was written up to
// the moment of the question.
package progress

import "time"

// Progress of one partition. Its zero value has read nothing.
type Progress struct {
	position int64
	readTo   time.Time

	// The question that reading has not caught up with yet.
	asked   time.Time
	pending bool
	goal    int64

	end int64 // by the latest answer
}

// Begin sets where reading begins.
func (p *Progress) Begin(position int64) { p.position = position }

// Passed says that everything before position was read.
func (p *Progress) Passed(position int64) {
	p.position = max(p.position, position)
	p.arrive()
}

// Saw says that a question asked at a moment was answered: the partition ended at
// end. Later answers wait until reading has come to the earlier one's, so that it
// need not run after them.
func (p *Progress) Saw(end int64, asked time.Time) {
	p.end = end
	if !p.pending {
		p.pending, p.asked, p.goal = true, asked, end
	}
	p.arrive()
}

func (p *Progress) arrive() {
	if p.pending && p.position >= p.goal {
		p.pending = false
		if p.asked.After(p.readTo) {
			p.readTo = p.asked
		}
	}
}

// Position is behind what was read.
func (p *Progress) Position() int64 { return p.position }

// ReadTo is the moment up to which everything that was written was read.
func (p *Progress) ReadTo() time.Time { return p.readTo }

// Lag is how many offsets are still to be read, as far as is known.
func (p *Progress) Lag() int64 { return max(0, p.end-p.position) }
