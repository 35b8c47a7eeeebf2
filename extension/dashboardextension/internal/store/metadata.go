// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"sync"

	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
)

// maxFamilies bounds the metrics whose type and unit are known.
const maxFamilies = 10_000

// families are the types, units and descriptions of metrics, as their senders tell
// them with every write. The API shows them as it would those of a scraped target.
type families struct {
	mutex sync.RWMutex
	known map[string]metadata.Metadata
}

func (f *families) note(options storage.AppendV2Options) {
	name := options.MetricFamilyName
	if name == "" || options.Metadata.IsEmpty() {
		return
	}
	f.mutex.RLock()
	known, found := f.known[name]
	full := len(f.known) >= maxFamilies
	f.mutex.RUnlock()
	if found && known == options.Metadata || !found && full {
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.known == nil {
		f.known = map[string]metadata.Metadata{}
	}
	f.known[name] = options.Metadata
}

// GetMetadata implements scrape.MetricMetadataStore.
func (f *families) GetMetadata(name string) (scrape.MetricMetadata, bool) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	m, found := f.known[name]
	return family(name, m), found
}

// ListMetadata implements scrape.MetricMetadataStore.
func (f *families) ListMetadata() []scrape.MetricMetadata {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	var all []scrape.MetricMetadata
	for name, m := range f.known {
		all = append(all, family(name, m))
	}
	return all
}

// LengthMetadata implements scrape.MetricMetadataStore.
func (f *families) LengthMetadata() int {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	return len(f.known)
}

// SizeMetadata implements scrape.MetricMetadataStore. The API does not ask for it.
func (*families) SizeMetadata() int { return 0 }

func family(name string, m metadata.Metadata) scrape.MetricMetadata {
	return scrape.MetricMetadata{MetricFamily: name, Type: m.Type, Help: m.Help, Unit: m.Unit}
}
