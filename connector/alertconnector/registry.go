// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The Collector makes one connector to logs and another to metrics of the same
// configuration. Both are a face of one evaluator, so that rules are applied once
// and have one state.

// registry finds the evaluator of a configuration.
type registry struct {
	mutex      sync.Mutex
	evaluators map[*Config]*evaluator
}

func newRegistry() *registry { return &registry{evaluators: map[*Config]*evaluator{}} }

// join gives a face of the evaluator of a configuration, which is made with the
// first. One that has a face of this kind already belongs to another connector.
func (r *registry) join(set connector.Settings, config *Config, has func(*evaluator) bool, connect func(*evaluator)) (*face, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	e, ok := r.evaluators[config]
	if !ok || has(e) {
		var err error
		if e, err = newEvaluator(set, config); err != nil {
			return nil, err
		}
		r.evaluators[config] = e
	}
	connect(e)
	e.faces++
	return &face{evaluator: e, first: e.faces == 1, leave: func() { r.leave(config, e) }}, nil
}

func (r *registry) leave(config *Config, e *evaluator) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.evaluators[config] == e {
		delete(r.evaluators, config)
	}
}

// face is one of the Collector's connectors.
//
// A pipeline that leads to a connector leads to all of its faces, so each gets the
// same batches. The first that was made hands them on, the other lets them fall. It
// cannot be one by the signal, for either may be the only one.
type face struct {
	evaluator *evaluator
	first     bool
	leave     func()
}

// Capabilities says that metrics are only read.
func (*face) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

// ConsumeMetrics applies the rules, once for all faces.
func (f *face) ConsumeMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	if !f.first {
		return nil
	}
	return f.evaluator.consume(ctx, metrics)
}

// Start starts the evaluator with the last face: what is downstream of any of them
// has started by then.
func (f *face) Start(ctx context.Context, host component.Host) error {
	return f.evaluator.start(ctx, host)
}

// Shutdown stops the evaluator with the first face: what is downstream of all of
// them still runs.
func (f *face) Shutdown(ctx context.Context) error {
	f.leave()
	return f.evaluator.shutdown(ctx)
}
