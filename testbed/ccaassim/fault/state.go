// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"sync"
	"sync/atomic"
)

// State is the present trouble: read often, changed seldom.
type State struct {
	mu      sync.Mutex // one change at a time
	current atomic.Pointer[Trouble]
}

// NewState makes a state with trouble from the start.
func NewState(initial Trouble) *State {
	t := &State{}
	t.current.Store(&initial)
	return t
}

// Now is the present trouble, which must not be changed.
func (t *State) Now() *Trouble { return t.current.Load() }

// Change replaces the trouble, unless the change is invalid.
func (t *State) Change(change func(*Trouble) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := *t.Now()
	if err := change(&changed); err != nil {
		return err
	}
	if err := changed.Validate(); err != nil {
		return err
	}
	t.current.Store(&changed)
	return nil
}

// Failure is the failure to answer with, if any. One that was to happen a number
// of times is used up with the last.
func (t *State) Failure(of func(*Trouble) *Failure) Failure {
	if *of(t.Now()) == (Failure{}) {
		return Failure{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := *t.Now()
	left := of(&changed)
	answer := *left
	switch left.Times {
	case 0: // every time
	case 1:
		*left = Failure{}
	default:
		left.Times--
	}
	t.current.Store(&changed)
	return answer
}
