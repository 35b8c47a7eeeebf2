// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reload

import (
	"context"
	"maps"
	"reflect"
	"sync"

	"go.opentelemetry.io/collector/confmap"
)

// record keeps what the providers returned for the configuration in force, so that it
// can be started again after its files have changed.
type record struct {
	mutex   sync.Mutex
	latest  map[string]reading            // of the configuration that was read last
	inForce map[string]*confmap.Retrieved // of the last one that started
	keep    bool                          // inForce is used in the place of the providers
}

// reading is what a provider returned.
type reading struct {
	provider  confmap.Provider
	retrieved *confmap.Retrieved
}

func newRecord() *record { return &record{latest: map[string]reading{}} }

// commit marks what was read as the configuration in force. A Collector that reads it
// again by itself, since SIGHUP has reached it, gets the same one.
func (r *record) commit() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.keep {
		return
	}
	r.keep, r.inForce = true, map[string]*confmap.Retrieved{}
	for uri, read := range r.latest {
		r.inForce[uri] = read.retrieved
	}
}

// forget makes the next configuration be read from the providers.
func (r *record) forget() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.latest, r.keep = map[string]reading{}, false
}

// restore makes the next configuration be the one in force; false without one.
func (r *record) restore() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.keep = r.inForce != nil
	return r.keep
}

// changed reports whether the configuration is another one than was read last, even if
// that one did not start. What cannot be read is not a change.
func (r *record) changed(ctx context.Context) bool {
	r.mutex.Lock()
	latest := maps.Clone(r.latest)
	r.mutex.Unlock()
	for uri, read := range latest {
		now, err := read.provider.Retrieve(ctx, uri, func(*confmap.ChangeEvent) {})
		if err != nil {
			continue
		}
		was, errWas := read.retrieved.AsRaw()
		is, errIs := now.AsRaw()
		if errWas == nil && errIs == nil && !reflect.DeepEqual(was, is) {
			return true
		}
	}
	return false
}

func (r *record) get(uri string) (*confmap.Retrieved, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	retrieved, ok := r.inForce[uri]
	return retrieved, ok && r.keep
}

func (r *record) put(uri string, read reading) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.latest[uri] = read
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
	retrieved, err := p.Provider.Retrieve(ctx, uri, func(event *confmap.ChangeEvent) {
		p.record.forget() // the Collector reads what has changed
		watcher(event)
	})
	if err == nil {
		p.record.put(uri, reading{p.Provider, retrieved})
	}
	return retrieved, err
}
