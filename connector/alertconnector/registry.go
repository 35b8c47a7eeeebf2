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

// registry holds the evaluator of each configuration. The Collector makes one connector to
// logs and another to metrics of the same configuration; both share one evaluator, so that
// rules are applied once and have one state.
type registry struct {
	mutex      sync.Mutex
	evaluators map[*Config]*evaluator
}

func newRegistry() *registry { return &registry{evaluators: map[*Config]*evaluator{}} }

// getOrCreate returns a component that shares the evaluator of a configuration, which is
// created with the first. An evaluator that already has a component of this kind belongs
// to another connector.
func (r *registry) getOrCreate(set connector.Settings, config *Config, has func(*evaluator) bool, connect func(*evaluator)) (*sharedComponent, error) {
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
	e.components++
	return &sharedComponent{evaluator: e, first: e.components == 1, leave: func() { r.leave(config, e) }}, nil
}

func (r *registry) leave(config *Config, e *evaluator) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.evaluators[config] == e {
		delete(r.evaluators, config)
	}
}

// sharedComponent is one of the Collector's connectors.
//
// A pipeline that leads to a connector leads to all of its components, so each gets the
// same batches. Only the first instance forwards batches; the other drops them. The signal
// cannot decide, because either may be the only one.
type sharedComponent struct {
	evaluator *evaluator
	first     bool
	leave     func()
}

// Capabilities reports that metrics are only read.
func (*sharedComponent) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: false}
}

// ConsumeMetrics applies the rules, once for all components.
func (f *sharedComponent) ConsumeMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	if !f.first {
		return nil
	}
	return f.evaluator.consume(ctx, metrics)
}

// Start starts the evaluator with the last component: everything downstream of any of them
// has started by then.
func (f *sharedComponent) Start(ctx context.Context, host component.Host) error {
	return f.evaluator.start(ctx, host)
}

// Shutdown stops the evaluator with the first component: everything downstream of all of
// them still runs.
func (f *sharedComponent) Shutdown(ctx context.Context) error {
	f.leave()
	return f.evaluator.shutdown(ctx)
}
