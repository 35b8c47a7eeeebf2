// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package inflight bounds the bytes that requests under way hold together: bodies that are
// being read, and answers that are being written. When there are too many, the request that
// holds the most is interrupted, so that a few large and slow ones do not keep out the many
// that are small and quick.
package inflight

import (
	"bytes"
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
// byte of a body that never ends takes little, whatever the body's announced length; and one
// that grows is not copied again and again.
func (c *Claim) ReadAll(from io.Reader) ([]byte, error) {
	var pieces [][]byte
	for size := firstRead; ; size = min(2*size, largeRead) {
		if err := c.Grow(size); err != nil {
			return nil, err
		}
		piece := make([]byte, size)
		n, err := fill(piece, from)
		pieces = append(pieces, piece[:n])
		switch {
		case errors.Is(err, io.EOF):
			return c.join(pieces)
		case err != nil && c.Complete() != nil:
			return nil, ErrExceeded // that is why reading failed
		case err != nil:
			return nil, err
		}
	}
}

// fill reads until a piece is full. Unlike io.ReadFull it distinguishes an end from a body that was torn
// off, whose error is io.ErrUnexpectedEOF.
func fill(piece []byte, from io.Reader) (n int, err error) {
	for n < len(piece) && err == nil {
		var read int
		read, err = from.Read(piece[n:])
		n += read
	}
	return n, err
}

// join makes one of the pieces of a body.
func (c *Claim) join(pieces [][]byte) ([]byte, error) {
	if len(pieces) == 1 {
		return pieces[0], nil
	}
	held, size := 0, 0
	for _, piece := range pieces {
		held += cap(piece)
		size += len(piece)
	}
	if err := c.Grow(size); err != nil {
		return nil, err
	}
	joined := bytes.Join(pieces, nil)
	c.shrink(held)
	return joined, nil
}

func (c *Claim) shrink(n int) {
	c.budget.mutex.Lock()
	defer c.budget.mutex.Unlock()
	if !c.exceeded {
		c.give(n)
	}
}
