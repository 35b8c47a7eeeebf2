// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package regularfile

import "sync"

// InForce keeps the latest good reading of each file for as long as the process lives. A
// component that is started again in the same process continues with it where the file has
// been damaged since. The zero value is empty; it is safe for concurrent use.
type InForce[T any] struct {
	mutex    sync.RWMutex
	readings map[string]T
}

// Keep replaces the reading of a file.
func (f *InForce[T]) Keep(path string, reading T) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.readings == nil {
		f.readings = map[string]T{}
	}
	f.readings[path] = reading
}

// Of returns the latest good reading of a file; false: there is none.
func (f *InForce[T]) Of(path string) (T, bool) {
	f.mutex.RLock()
	defer f.mutex.RUnlock()
	reading, ok := f.readings[path]
	return reading, ok
}
