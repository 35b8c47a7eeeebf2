// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package requestbody

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"sync"
)

var (
	// ErrBudgetExceeded is the error of a request that was interrupted, or for which the budget has
	// no bytes left. A retry can succeed.
	ErrBudgetExceeded = errors.New("the requests in flight hold too many bytes; retry later")
	// ErrLargerThanBudget is the error of a request that needs more bytes than the budget has. No retry succeeds.
	ErrLargerThanBudget = errors.New("the request needs more memory than all requests may hold")
	// ErrClosed is the error of a request that was not complete when the budget was closed.
	ErrClosed = errors.New("the collector is shutting down; retry later")
)

// Budget bounds the bytes that all requests in flight hold together: bodies that are being
// read, and answers that are being written. When there are too many, the request that holds
// the most is interrupted, so that a few large and slow ones do not keep out the many that are
// small and quick.
type Budget struct {
	limit int

	mutex  sync.Mutex
	used   int
	closed bool
	claims map[*Claim]struct{}
}

// NewBudget creates a budget of limit bytes.
func NewBudget(limit int) *Budget { return &Budget{limit: limit, claims: map[*Claim]struct{}{}} }

// Used is the number of bytes that requests hold now.
func (b *Budget) Used() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.used
}

// Claim is the part of a budget that one request holds.
type Claim struct {
	budget    *Budget
	interrupt func()
	held      int
	complete  bool  // it is no longer interrupted
	failed    error // why it was interrupted
}

// Claim starts the claim of a request. When the request is interrupted, another goroutine calls
// interrupt, which has to make the pending read or write of the request fail.
func (b *Budget) Claim(interrupt func()) *Claim {
	c := &Claim{budget: b, interrupt: interrupt}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.claims[c] = struct{}{}
	return c
}

// Grow adds n bytes to the claim. The error is ErrBudgetExceeded or ErrLargerThanBudget.
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
	if b.closed && !c.complete {
		c.fail(ErrClosed)
	}
	if c.failed != nil {
		return nil, c.failed
	}
	if c.held+n > b.limit {
		return nil, ErrLargerThanBudget
	}
	c.held += n
	b.used += n
	for b.used > b.limit {
		switch largest := b.largest(); largest {
		case nil: // all others are complete
			c.give(n)
			return interrupted, ErrBudgetExceeded
		case c:
			c.fail(ErrBudgetExceeded)
			return interrupted, ErrBudgetExceeded
		default:
			largest.fail(ErrBudgetExceeded)
			interrupted = append(interrupted, largest)
		}
	}
	return interrupted, nil
}

// largest is the largest claim of those that can be interrupted.
func (b *Budget) largest() (largest *Claim) {
	for c := range b.claims {
		if !c.complete && c.failed == nil && (largest == nil || c.held > largest.held) {
			largest = c
		}
	}
	return largest
}

// fail makes a claim that is not complete hold nothing.
func (c *Claim) fail(err error) {
	if c.failed == nil {
		c.failed = err
		c.give(c.held)
	}
}

// Close interrupts all requests that are not complete, and refuses further ones.
func (b *Budget) Close() {
	b.mutex.Lock()
	b.closed = true
	var interrupted []*Claim
	for c := range b.claims {
		if !c.complete && c.failed == nil {
			c.fail(ErrClosed)
			interrupted = append(interrupted, c)
		}
	}
	b.mutex.Unlock()
	for _, c := range interrupted {
		c.interrupt()
	}
}

func (c *Claim) give(n int) {
	c.held -= n
	c.budget.used -= n
}

// Complete marks a claim whose request no longer waits for its client; it is not interrupted any more.
// The error is that of an earlier interruption.
func (c *Claim) Complete() error {
	c.budget.mutex.Lock()
	defer c.budget.mutex.Unlock()
	c.complete = c.failed == nil
	return c.failed
}

// Release returns all bytes of the claim to the budget.
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

// ReadAll reads to the end and claims the memory for it piece by piece, so that a body costs what
// was received of it, whatever length it announces. The pieces are joined once.
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
		case err != nil:
			return nil, cmp.Or(c.interruption(), err) // an interruption makes the read fail
		}
	}
}

func (c *Claim) interruption() error {
	c.budget.mutex.Lock()
	defer c.budget.mutex.Unlock()
	return c.failed
}

// fill reads until a piece is full. Unlike io.ReadFull it distinguishes the end from a truncated body,
// whose error is io.ErrUnexpectedEOF.
func fill(piece []byte, from io.Reader) (n int, err error) {
	for n < len(piece) && err == nil {
		var read int
		read, err = from.Read(piece[n:])
		n += read
	}
	return n, err
}

// join concatenates the pieces of a body.
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
	if c.failed == nil {
		c.give(n)
	}
}
