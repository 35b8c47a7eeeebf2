// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// observe registers the asynchronous instruments, which are read only at collection.
func (p *driftProcessor) observe() error {
	gauge := func(read func() int) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(read()))
			return nil
		}
	}
	t := p.telemetry
	return errors.Join(
		t.RegisterDriftStreamsCallback(gauge(p.measured)),
		t.RegisterDriftStreamsLimitCallback(gauge(func() int { return p.config.MaxStreams })),
		t.RegisterDriftDriftingStreamsCallback(gauge(p.drifting)),
		t.RegisterDriftReferenceOffsetCallback(p.observeReference),
	)
}

func (p *driftProcessor) measured() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.streams.all)
}

func (p *driftProcessor) drifting() (n int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, s := range p.streams.all {
		if s.drift.On {
			n++
		}
	}
	return n
}

func (p *driftProcessor) observeReference(_ context.Context, o metric.Float64Observer) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if offset, known := p.host.offset(p.now()); known {
		o.Observe(milliseconds(offset))
	}
	return nil
}
