// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package state keeps a component's state in a storage extension. It opens the storage,
// quarantines damaged values, and reports when the storage starts and stops to fail.
// Package envelope has the checksummed, versioned encoding of the values.
package state

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
)

// damagedPrefix is put before the key of a quarantined value. Nothing overwrites it but
// the next value of the same key that is damaged.
const damagedPrefix = "damaged/"

// QuarantineKey returns the key under which a damaged value of key is kept.
func QuarantineKey(key string) string { return damagedPrefix + key }

// ErrUnavailable is returned by Open for a storage that is configured and cannot be
// opened, for example because its file is damaged or another collector uses it. A
// component continues without persistence.
var ErrUnavailable = errors.New("storage cannot be opened")

// Open opens a client of a component in a storage extension; name is that of one of
// several clients, else empty. An error other than ErrUnavailable is one of the
// configuration.
func Open(ctx context.Context, host component.Host, storageID component.ID, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	extension, ok := host.GetExtensions()[storageID]
	if !ok {
		return nil, fmt.Errorf("storage: %s: there is no such extension; name one of service::extensions", storageID)
	}
	provider, ok := extension.(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: %s: is not a storage extension, as file_storage is", storageID)
	}
	client, err := provider.GetClient(ctx, kind, id, name)
	if err != nil {
		return nil, fmt.Errorf("storage: %s: %w: %w. If another collector uses it, configure another directory; "+
			"if its file is damaged, move the file out of the storage's directory and restart", storageID, ErrUnavailable, err)
	}
	return client, nil
}

// Store is a storage client that quarantines damaged values and knows whether the
// storage works. It is not safe for concurrent use.
type Store struct {
	storage.Client
	name   string
	logger *zap.Logger
	report func(*componentstatus.Event)

	failing bool
}

// NewStore returns the Store of a client. The name is that of the storage in log
// records and errors. report may be nil where the component's status does not depend
// on the storage.
func NewStore(client storage.Client, name string, logger *zap.Logger, report func(*componentstatus.Event)) *Store {
	return &Store{Client: client, name: name, logger: logger, report: report}
}

// Load passes the value of a key to decode. There is nothing to decode for a key that
// does not exist: ok is false then. A value that decode refuses is quarantined, and ok
// is false, too. The error is one of the storage itself.
func (s *Store) Load(ctx context.Context, key string, decode func(value []byte) error) (ok bool, err error) {
	value, err := s.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("%s: %w", key, err)
	}
	if value == nil {
		return false, nil
	}
	if err := decode(value); err != nil {
		s.Quarantine(ctx, key, value, err)
		return false, nil
	}
	return true, nil
}

// Quarantine logs that a value is damaged, and keeps it for inspection under
// QuarantineKey(key). value is nil for one that is lost.
func (s *Store) Quarantine(ctx context.Context, key string, value []byte, why error) {
	fields := []zap.Field{zap.String("key", key), zap.String("quarantined_as", QuarantineKey(key)), zap.Error(fmt.Errorf("%s: %w", key, why))}
	if value != nil {
		if err := s.Set(ctx, QuarantineKey(key), value); err != nil {
			fields = append(fields, zap.NamedError("quarantine_error", err))
		}
	}
	s.logger.Error("Saved state is damaged; it is quarantined and the rest is used. What it held starts anew", fields...)
}

// Failing reports whether the latest save failed.
func (s *Store) Failing() bool { return s.failing }

// Saved records the result of a save. It logs the start and the end of a time in which
// saves fail, and reports them as the component's status.
func (s *Store) Saved(err error) {
	switch {
	case err != nil && !s.failing:
		err = fmt.Errorf("storage: %s: state cannot be saved: %w", s.name, err)
		s.logger.Error("State cannot be saved. Processing continues, but a restart resumes from the last successful save. "+
			"Check the free space and the permissions of the storage", zap.String("storage", s.name), zap.Error(err))
		s.status(componentstatus.NewRecoverableErrorEvent(err))
	case err == nil && s.failing:
		s.logger.Info("State is saved again", zap.String("storage", s.name))
		s.status(componentstatus.NewEvent(componentstatus.StatusOK))
	}
	s.failing = err != nil
}

func (s *Store) status(event *componentstatus.Event) {
	if s.report != nil {
		s.report(event)
	}
}
