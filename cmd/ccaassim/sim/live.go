// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"sync"
	"sync/atomic"
)

// trouble is the trouble of the moment: read often, changed seldom.
type trouble struct {
	mu      sync.Mutex // one change at a time
	current atomic.Pointer[Trouble]
}

func newTrouble(initial Trouble) *trouble {
	t := &trouble{}
	t.current.Store(&initial)
	return t
}

// now is the trouble of the moment; it is not to be changed.
func (t *trouble) now() *Trouble { return t.current.Load() }

// change replaces the trouble, unless the change is invalid.
func (t *trouble) change(change func(*Trouble) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := *t.now()
	if err := change(&changed); err != nil {
		return err
	}
	if err := changed.Validate(); err != nil {
		return err
	}
	t.current.Store(&changed)
	return nil
}

// failure is the failure to answer with, if any. One that was to happen a number
// of times is used up with the last.
func (t *trouble) failure(of func(*Trouble) *Failure) Failure {
	if *of(t.now()) == (Failure{}) {
		return Failure{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := *t.now()
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
