// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/binary"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
)

var storageID = component.MustNewID("file_storage")

// withStorage is a host with file_storage in a directory.
func withStorage(t *testing.T, directory string) *host {
	t.Helper()
	factory := filestorage.NewFactory()
	config := factory.CreateDefaultConfig().(*filestorage.Config)
	config.Directory = directory
	extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, extension.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, extension.Shutdown(t.Context())) })
	return &host{extensions: map[component.ID]component.Component{storageID: extension}}
}

func inStorage(c *Config) {
	c.QueueConfig.Get().StorageID = &storageID
	c.RetryConfig.InitialInterval = 10 * time.Millisecond
	c.RetryConfig.MaxInterval = 10 * time.Millisecond
}

// Whatever was on its way when the collector ended comes first after a restart: a
// resolved alert never before its firing. This fails as soon as exporterhelper keeps
// its queue in another way.
func TestOrderOverARestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, b *bench, directory string) string{
		"shutdown": func(_ *testing.T, b *bench, directory string) string {
			b.stop()
			return directory
		},
		"kill": func(t *testing.T, b *bench, directory string) string {
			t.Helper()
			left := t.TempDir() // as a kill leaves it
			require.NoError(t, os.CopyFS(left, os.DirFS(directory)))
			b.stop()
			return left
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			var want [][2]string
			for i := range 3 { // several restarts, with more that waits each time
				b := newBenchOn(t, withStorage(t, directory), func(int, received) reply { return reply{err: errReset} }, inStorage)
				for _, status := range []string{"firing", "resolved"} {
					one := [2]string{strconv.Itoa(i), status}
					want = append(want, one)
					b.send(episode(one))
				}
				require.Eventually(t, func() bool { return len(b.receiver.all()) > 2 }, time.Minute, time.Millisecond)
				directory = end(t, b, directory)
				assert.Zero(t, b.logs.FilterMessageSnippet("all that is left").Len(), "what is in storage is no dead letter")
				assert.Zero(t, b.logs.FilterMessageSnippet("may come after later ones").Len())
			}
			b := newBenchOn(t, withStorage(t, directory), always(200), inStorage)
			require.Eventually(t, func() bool { return len(b.receiver.all()) >= len(want) }, time.Minute, time.Millisecond)
			b.stop()
			assert.Equal(t, want, told(t, b.receiver.bodies()))
		})
	}
}

func TestStorageThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	b := newBench(t, always(200), nil)
	b.config.QueueConfig.Get().StorageID = &storageID
	require.ErrorContains(t, b.restoreOrder(t.Context(), b.host), "sending_queue.storage: file_storage: no storage extension")
	b.config.QueueConfig.Get().StorageID = nil
	b.stop()
}

func TestPutBack(t *testing.T) {
	t.Parallel()
	fixed := func(tag byte, values ...uint64) (out []byte) {
		for _, value := range values {
			out = binary.LittleEndian.AppendUint64(append(out, tag), value)
		}
		return out
	}
	join := func(parts ...[]byte) (out []byte) {
		for _, part := range parts {
			out = append(out, part...)
		}
		return out
	}
	const items, read, write, dispatched, packed = 1<<3 | 1, 3<<3 | 1, 4<<3 | 1, 5<<3 | 1, 5<<3 | 2
	for name, one := range map[string]struct {
		place, want []byte
		fails       bool
	}{
		"a new queue":           {},
		"nothing on its way":    {place: join(fixed(items, 3), fixed(read, 7), fixed(write, 9))},
		"one":                   {place: join(fixed(items, 3), fixed(read, 7), fixed(write, 9), fixed(dispatched, 6)), want: join(fixed(items, 3), fixed(write, 9), fixed(read, 6))},
		"one, packed":           {place: join(fixed(read, 7), []byte{packed, 8}, fixed(0, 6)[1:]), want: fixed(read, 6)},
		"the very first":        {place: join(fixed(read, 1), []byte{packed, 8}, fixed(0, 0)[1:]), want: fixed(read, 0)},
		"two":                   {place: join(fixed(read, 7), fixed(dispatched, 5, 6)), fails: true},
		"not the latest":        {place: join(fixed(read, 7), fixed(dispatched, 3)), fails: true},
		"before the first":      {place: fixed(dispatched, 0), fails: true},
		"no protobuf":           {place: []byte("qmv1"), fails: true},
		"cut off":               {place: fixed(read, 7)[:5], fails: true},
		"another kind of index": {place: []byte{3 << 3, 7, 5 << 3, 6}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := putBack(one.place)
			assert.Equal(t, one.fails, err != nil, "%v", err)
			assert.Equal(t, one.want, got)
		})
	}
}

func FuzzPutBack(f *testing.F) {
	f.Add([]byte{3<<3 | 1, 7, 0, 0, 0, 0, 0, 0, 0, 5<<3 | 2, 8, 6, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, place []byte) {
		restored, err := putBack(place)
		if err != nil || restored == nil {
			return
		}
		again, err := putBack(restored)
		if err != nil || again != nil {
			t.Errorf("%x: something is still on its way: %x, %v", place, again, err)
		}
	})
}
