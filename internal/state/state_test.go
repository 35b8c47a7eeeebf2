// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

// broken is a storage that cannot be opened or read, where there is an error.
type broken struct {
	*owntest.Storage
	openErr, getErr error
}

func (b broken) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return b, b.openErr
}

func (b broken) Get(ctx context.Context, key string) ([]byte, error) {
	if b.getErr != nil {
		return nil, b.getErr
	}
	return b.Storage.Get(ctx, key)
}

type plain struct {
	component.StartFunc
	component.ShutdownFunc
}

func TestOpen(t *testing.T) {
	t.Parallel()
	disk, other := component.MustNewID("disk"), component.MustNewID("other")
	failure := errors.New("invalid database")
	type extensions = map[component.ID]component.Component
	for name, test := range map[string]struct {
		extensions  map[component.ID]component.Component
		err         string
		unavailable bool
	}{
		"opened":       {extensions{disk: owntest.NewStorage()}, "", false},
		"missing":      {extensions{other: owntest.NewStorage()}, "storage: disk: there is no such extension", false},
		"no storage":   {extensions{disk: plain{}}, "storage: disk: is not a storage extension", false},
		"not openable": {extensions{disk: broken{Storage: owntest.NewStorage(), openErr: failure}}, "storage: disk: storage cannot be opened: invalid database", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := Open(t.Context(), owntest.NewHostWith(test.extensions), disk, component.KindProcessor, component.MustNewID("ws_window"), "")
			if test.err == "" {
				require.NoError(t, err)
				assert.NotNil(t, client)
				return
			}
			require.ErrorContains(t, err, test.err)
			assert.Equal(t, test.unavailable, errors.Is(err, ErrUnavailable))
			assert.Equal(t, test.unavailable, errors.Is(err, failure))
		})
	}
}

func newStore(m storage.Client, report func(*componentstatus.Event)) (*Store, *observer.ObservedLogs) {
	core, logs := observer.New(zap.InfoLevel)
	return NewStore(m, "disk", zap.New(core), report), logs
}

func TestStore_DamagedValueIsQuarantined(t *testing.T) {
	t.Parallel()
	m := owntest.NewStorage()
	m.Put("a", []byte("value"))
	m.Put("b", []byte("value"))
	s, logs := newStore(m, nil)
	ok, err := s.Load(t.Context(), "a", func([]byte) error { return errors.New("checksum mismatch") })
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Equal(t, "value", string(m.Data()["damaged/a"]))
	entries := logs.FilterMessageSnippet("damaged").All()
	require.Len(t, entries, 1)
	assert.Equal(t, "a", entries[0].ContextMap()["key"])
	assert.Equal(t, "a: checksum mismatch", entries[0].ContextMap()["error"])

	ok, err = s.Load(t.Context(), "b", func([]byte) error { return nil })
	require.NoError(t, err)
	assert.True(t, ok)
	ok, err = s.Load(t.Context(), "none", func([]byte) error { panic("nothing to decode") })
	require.NoError(t, err)
	assert.False(t, ok)
	assert.False(t, m.Has("damaged/b"))
	assert.Equal(t, 1, logs.Len())
}

func TestStore_QuarantineOnAFullDiskIsLogged(t *testing.T) {
	t.Parallel()
	m := owntest.NewStorage()
	m.Put("a", []byte{})
	m.SetFull(true)
	s, logs := newStore(m, nil)
	_, err := s.Load(t.Context(), "a", func([]byte) error { return errors.New("truncated") })
	require.NoError(t, err)
	require.Equal(t, 1, logs.Len())
	assert.Equal(t, storage.ErrStorageFull.Error(), logs.All()[0].ContextMap()["quarantine_error"])
}

func TestStore_ReadErrorIsReturned(t *testing.T) {
	t.Parallel()
	s, _ := newStore(broken{getErr: errors.New("input/output error")}, nil)
	_, err := s.Load(t.Context(), "a", func([]byte) error { return nil })
	require.EqualError(t, err, "a: input/output error")
}

func TestStore_FailureIsReportedOnce(t *testing.T) {
	t.Parallel()
	var events []componentstatus.Status
	s, logs := newStore(owntest.NewStorage(), func(event *componentstatus.Event) { events = append(events, event.Status()) })
	for _, err := range []error{nil, storage.ErrStorageFull, storage.ErrStorageFull} {
		s.Saved(err)
	}
	assert.True(t, s.Failing())
	s.Saved(nil)
	s.Saved(nil)
	assert.False(t, s.Failing())
	assert.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, events)
	assert.Equal(t, 1, logs.FilterMessageSnippet("cannot be saved").Len())
	assert.Equal(t, 1, logs.FilterMessageSnippet("saved again").Len())
}
