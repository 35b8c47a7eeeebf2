// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/confmap"
)

const environmentScheme = "env:"

// environment records which environment variables a configuration names that are not
// set and have no default.
type environment struct {
	mutex  sync.Mutex
	read   map[string]bool // by the configuration that is being read
	latest []string        // of the one that was read last
}

// watch makes providers whose look-ups are recorded.
func (e *environment) watch(factories []confmap.ProviderFactory) []confmap.ProviderFactory {
	watched := make([]confmap.ProviderFactory, len(factories))
	for i, factory := range factories {
		watched[i] = confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
			return &watchedProvider{Provider: factory.Create(set), environment: e}
		})
	}
	return watched
}

// commit marks that a configuration was read.
func (e *environment) commit() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.latest, e.read = slices.Sorted(maps.Keys(e.read)), nil
}

// names returns those of the configuration that was read last, in order.
func (e *environment) names() []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return slices.Clone(e.latest)
}

func (e *environment) lookUp(uri string) {
	name, found := strings.CutPrefix(uri, environmentScheme)
	if !found || strings.Contains(name, ":-") {
		return
	}
	if _, set := os.LookupEnv(name); set {
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.read == nil {
		e.read = map[string]bool{}
	}
	e.read[name] = true
}

// watchedProvider is a provider whose look-ups are recorded.
type watchedProvider struct {
	confmap.Provider

	environment *environment
}

// Retrieve implements confmap.Provider.
func (p *watchedProvider) Retrieve(ctx context.Context, uri string, watcher confmap.WatcherFunc) (*confmap.Retrieved, error) {
	p.environment.lookUp(uri)
	return p.Provider.Retrieve(ctx, uri, watcher)
}
