// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"maps"
	"sync"

	"go.opentelemetry.io/collector/confmap"
)

// record keeps what the providers returned for the configuration in force, so that it
// can be started again after its files have changed.
type record struct {
	mutex   sync.Mutex
	latest  map[string]*confmap.Retrieved // of the configuration that is being read
	inForce map[string]*confmap.Retrieved // of the last one that started
	restart bool                          // inForce is used in the place of the providers
}

func newRecord() *record { return &record{latest: map[string]*confmap.Retrieved{}} }

// commit marks what was read as the configuration in force.
func (r *record) commit() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !r.restart {
		r.inForce = maps.Clone(r.latest)
	}
}

// forget makes the next configuration be read from the providers.
func (r *record) forget() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.latest, r.restart = map[string]*confmap.Retrieved{}, false
}

// restore makes the next configuration be the one in force; false without one.
func (r *record) restore() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.restart = r.inForce != nil
	return r.restart
}

func (r *record) get(uri string) (*confmap.Retrieved, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	retrieved, ok := r.inForce[uri]
	return retrieved, ok && r.restart
}

func (r *record) put(uri string, retrieved *confmap.Retrieved) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.latest[uri] = retrieved
}

// wrap makes providers whose results are recorded.
func (r *record) wrap(factories []confmap.ProviderFactory) []confmap.ProviderFactory {
	wrapped := make([]confmap.ProviderFactory, len(factories))
	for i, factory := range factories {
		wrapped[i] = confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
			return &recordedProvider{Provider: factory.Create(set), record: r}
		})
	}
	return wrapped
}

// recordedProvider is a provider whose results are recorded.
type recordedProvider struct {
	confmap.Provider

	record *record
}

// Retrieve implements confmap.Provider.
func (p *recordedProvider) Retrieve(ctx context.Context, uri string, watcher confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if retrieved, ok := p.record.get(uri); ok {
		return retrieved, nil
	}
	retrieved, err := p.Provider.Retrieve(ctx, uri, watcher)
	if err == nil {
		p.record.put(uri, retrieved)
	}
	return retrieved, err
}
