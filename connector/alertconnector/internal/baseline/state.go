// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package baseline

import "errors"

// Open is the hour that values enter now, to be saved; nil when it has none.
func (b *Baseline) Open() *Hour {
	if b.open.count == 0 {
		return nil
	}
	open := b.open.close()
	return &open
}

// Closed are the hours that are over, in order. They are not the caller's to
// change.
func (b *Baseline) Closed() []Hour { return b.closed }

// Restore begins where saved hours, in order, end. Those that are not valid are
// left out and told.
func Restore(config *Config, hours []Hour) (*Baseline, error) {
	b := New(config)
	var damage []error
	last := int64(-1)
	for _, saved := range hours {
		if err := saved.validate(); err != nil {
			damage = append(damage, err)
			continue
		}
		if saved.Index <= last {
			continue // it was saved once as open and once as closed: the first is whole
		}
		last = saved.Index
		b.closed = append(b.closed, saved)
	}
	if n := len(b.closed); n > 0 {
		b.reopen(b.closed[n-1], b.closed[:n-1])
	}
	return b, errors.Join(damage...)
}

// reopen makes an hour the open one again, since more values of it may come.
func (b *Baseline) reopen(saved Hour, before []Hour) {
	b.closed = before
	b.open = newHour(saved.Index, b.config.Quantile)
	b.forget(b.firstCounting())
	b.sum()
	b.open.merge(&saved)
	b.total.merge(&saved)
}
