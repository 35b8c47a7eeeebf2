// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import "sync"

// confirms are the publishing ids that were sent on a connection and are not confirmed.
type confirms struct {
	mutex   sync.Mutex
	waiting map[uint64]struct{}
	err     error
	done    chan struct{} // closed when none waits, or one was refused
}

// expect adds ids before they are sent.
func (c *confirms) expect(ids []uint64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.waiting, c.done, c.err = make(map[uint64]struct{}, len(ids)), make(chan struct{}), nil
	for _, id := range ids {
		c.waiting[id] = struct{}{}
	}
	if len(ids) == 0 {
		close(c.done)
	}
}

// confirm is called with ids that the broker has written, or has refused with an error.
func (c *confirms) confirm(ids []uint64, err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	waited := len(c.waiting)
	for _, id := range ids {
		if _, ok := c.waiting[id]; ok && err != nil {
			c.err = err
		}
		delete(c.waiting, id)
	}
	if waited > 0 && len(c.waiting) == 0 {
		close(c.done)
	}
}

// finished is closed when all ids are confirmed or refused; refused returns the error then.
func (c *confirms) finished() <-chan struct{} {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.done
}

func (c *confirms) refused() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.err
}
