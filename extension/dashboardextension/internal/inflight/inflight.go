// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package inflight bounds the bytes that requests under way hold together: bodies that are
// being read, and answers that are being written. When there are too many, the request that
// holds the most is interrupted, so that a few large and slow ones do not keep out the many
// that are small and quick.
package inflight

import (
	"errors"
	"io"
	"sync"
)

// ErrExceeded is the error of a request that was interrupted, or that found no room.
var ErrExceeded = errors.New("the requests under way hold too many bytes; try again")

// Budget is how many bytes requests may hold together.
type Budget struct {
	limit int

	mutex  sync.Mutex
	used   int
	claims map[*Claim]struct{}
}

// NewBudget makes a budget of some bytes.
func NewBudget(limit int) *Budget { return &Budget{limit: limit, claims: map[*Claim]struct{}{}} }

// Claim is what one request holds.
type Claim struct {
	budget    *Budget
	interrupt func()
	held      int
	complete  bool // it is not interrupted any more
	exceeded  bool
}

// Claim makes the claim of a request. When it has to go, interrupt is called, by another
// goroutine, and has to make what the request waits for fail.
func (b *Budget) Claim(interrupt func()) *Claim {
	c := &Claim{budget: b, interrupt: interrupt}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.claims[c] = struct{}{}
	return c
}

// Grow adds bytes to what a request holds.
func (c *Claim) Grow(n int) error {
	interrupted, err := c.grow(n)
	for _, other := range interrupted {
		other.interrupt()
	}
	return err
}

func (c *Claim) grow(n int) (interrupted []*Claim, err error) {
	b := c.budget
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if c.exceeded {
		return nil, ErrExceeded
	}
	c.held += n
	b.used += n
	for b.used > b.limit {
		switch largest := b.largest(); largest {
		case nil: // what all others hold is complete
			c.give(n)
			return interrupted, ErrExceeded
		case c:
			c.exceed()
			return interrupted, ErrExceeded
		default:
			largest.exceed()
			interrupted = append(interrupted, largest)
		}
	}
	return interrupted, nil
}

// largest is the claim that holds the most of those that can be interrupted.
func (b *Budget) largest() (largest *Claim) {
	for c := range b.claims {
		if !c.complete && !c.exceeded && (largest == nil || c.held > largest.held) {
			largest = c
		}
	}
	return largest
}

func (c *Claim) exceed() {
	c.exceeded = true
	c.give(c.held)
}

func (c *Claim) give(n int) {
	c.held -= n
	c.budget.used -= n
}

// Complete says that a request holds all it wants, and waits for nobody outside any more:
// it is not interrupted. It is an error when it was.
func (c *Claim) Complete() error {
	c.budget.mutex.Lock()
	defer c.budget.mutex.Unlock()
	if c.exceeded {
		return ErrExceeded
	}
	c.complete = true
	return nil
}

// Release gives back what a request held.
func (c *Claim) Release() {
	c.budget.mutex.Lock()
	defer c.budget.mutex.Unlock()
	c.give(c.held)
	delete(c.budget.claims, c)
}

const (
	firstRead = 4 << 10
	largeRead = 256 << 10
)

// ReadAll reads to the end, and claims the memory that it takes for that as it goes. One
// byte of a body that never ends takes little, whatever the body's announced length.
func (c *Claim) ReadAll(from io.Reader) ([]byte, error) {
	var read []byte
	for {
		if len(read) == cap(read) {
			more := min(max(firstRead, cap(read)), largeRead+cap(read)/4)
			if err := c.Grow(more); err != nil {
				return nil, err
			}
			grown := make([]byte, len(read), cap(read)+more)
			copy(grown, read)
			read = grown
		}
		n, err := from.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		switch {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil && c.Complete() != nil:
			return nil, ErrExceeded // that is why reading failed
		case err != nil:
			return nil, err
		}
	}
}
