// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package componenttest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// StorageID is the id of the storage extension of NewHost.
var StorageID = component.MustNewID("disk")

// ErrCutOff is the error of an operation beyond FailAfter.
var ErrCutOff = errors.New("cut off")

// Storage is a storage extension in memory, and the client of every component.
type Storage struct {
	component.StartFunc
	component.ShutdownFunc

	mutex   sync.Mutex
	data    map[string][]byte
	full    bool
	left    int // writes until they fail; negative: they do not
	written int // sets and deletes so far
}

// NewStorage makes an empty storage.
func NewStorage() *Storage { return &Storage{data: map[string][]byte{}, left: -1} }

// Copy is a storage with the same content, which neither is full nor fails: what a kill
// at this moment leaves.
func (s *Storage) Copy() *Storage {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return &Storage{data: maps.Clone(s.data), left: -1}
}

// SetFull sets whether writes fail with ErrStorageFull.
func (s *Storage) SetFull(full bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.full = full
}

// FailAfter lets writes fail with ErrCutOff after a number of further sets and deletes,
// also in the middle of a batch.
func (s *Storage) FailAfter(operations int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.left = operations
}

// Written is the number of sets and deletes so far.
func (s *Storage) Written() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.written
}

// CutOff reports whether writes fail because of FailAfter.
func (s *Storage) CutOff() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.left == 0
}

// Data is a copy of the content.
func (s *Storage) Data() map[string][]byte {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return maps.Clone(s.data)
}

// Put sets a key from outside, whatever fails.
func (s *Storage) Put(key string, value []byte) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.data[key] = value
}

// Has reports whether there is a key.
func (s *Storage) Has(key string) bool {
	_, ok := s.Data()[key]
	return ok
}

// GetClient returns the storage itself.
func (s *Storage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return s, nil
}

// Close does nothing.
func (*Storage) Close(context.Context) error { return nil }

// Get returns the value of a key, nil when there is none.
func (s *Storage) Get(ctx context.Context, key string) ([]byte, error) {
	operation := storage.GetOperation(key)
	err := s.Batch(ctx, operation)
	return operation.Value, err
}

// Set sets a key.
func (s *Storage) Set(ctx context.Context, key string, value []byte) error {
	return s.Batch(ctx, storage.SetOperation(key, value))
}

// Delete deletes a key.
func (s *Storage) Delete(ctx context.Context, key string) error {
	return s.Batch(ctx, storage.DeleteOperation(key))
}

// Batch applies operations in order, up to the first that fails.
func (s *Storage) Batch(_ context.Context, operations ...*storage.Operation) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, operation := range operations {
		if operation.Type == storage.Get {
			operation.Value = s.data[operation.Key]
			continue
		}
		if s.full {
			return storage.ErrStorageFull
		}
		if s.left == 0 {
			return ErrCutOff
		}
		s.left--
		s.written++
		if operation.Type == storage.Set {
			s.data[operation.Key] = slices.Clone(operation.Value)
		} else {
			delete(s.data, operation.Key)
		}
	}
	return nil
}
