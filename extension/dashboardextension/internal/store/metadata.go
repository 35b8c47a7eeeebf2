// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"maps"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
)

// All of it is in one answer, so it is bounded together. What 16 metrics say takes 2 KiB.
const (
	maxFamilies    = 10_000  // metrics whose type and unit are known
	maxFamilyBytes = 4 << 20 // of their names, units and descriptions
	maxHelp        = 1 << 10 // bytes of a description; of longer ones it is the beginning
	maxUnit        = 64      // bytes
)

// families holds the types, units and descriptions of metrics from the latest writes.
type families struct {
	mutex sync.RWMutex
	known map[string]metadata.Metadata
	bytes int // see maxFamilyBytes
}

func (f *families) note(options storage.AppendV2Options) {
	name := options.MetricFamilyName
	if name == "" || options.Metadata.IsEmpty() {
		return
	}
	now := options.Metadata
	now.Help, now.Unit = beginning(now.Help, maxHelp), beginning(now.Unit, maxUnit)
	f.mutex.RLock()
	fits := f.fits(name, now)
	f.mutex.RUnlock()
	if !fits {
		return
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.fits(name, now) { // others came first
		return
	}
	if f.known == nil {
		f.known = map[string]metadata.Metadata{}
	}
	f.bytes += f.grows(name, now)
	// What was cut off would be kept with the beginning.
	now.Help, now.Unit = strings.Clone(now.Help), strings.Clone(now.Unit)
	f.known[strings.Clone(name)] = now
}

// fits is whether a metric says something new, and there is room for it.
func (f *families) fits(name string, now metadata.Metadata) bool {
	was, found := f.known[name]
	if found && was == now || !found && len(f.known) >= maxFamilies {
		return false
	}
	return f.bytes+f.grows(name, now) <= maxFamilyBytes
}

// grows is how many bytes more there are with what a metric says now.
func (f *families) grows(name string, now metadata.Metadata) int {
	size := func(m metadata.Metadata) int { return len(name) + len(m.Help) + len(m.Unit) }
	if was, found := f.known[name]; found {
		return size(now) - size(was)
	}
	return size(now)
}

// beginning returns the start of a text, at most so many bytes of complete characters.
func beginning(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// all returns what is known, by name.
func (f *families) all() map[string]metadata.Metadata {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	return maps.Clone(f.known)
}
