// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package embedded

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/journal"
)

// Names of the files in the directory.
const (
	silencesFile      = "silences"
	notificationsFile = "notifications"
	alertsFile        = "alerts"
	lockFile          = "lock"
)

// notificationLog is upstream's, whose entries are on disk when Log returns.
type notificationLog struct {
	log     *nflog.Log
	journal *journal.Journal
}

// Log implements notify.NotificationLog.
func (l *notificationLog) Log(r *nflogpb.Receiver, groupKey string, firing, resolved []uint64, store *nflog.Store, expiry time.Duration) error {
	if err := l.log.Log(r, groupKey, firing, resolved, store, expiry); err != nil {
		return err
	}
	if err := l.journal.Sync(); err != nil {
		return fmt.Errorf("notification log: %w", err)
	}
	return nil
}

// Query implements notify.NotificationLog.
func (l *notificationLog) Query(params ...nflog.QueryParam) ([]*nflogpb.Entry, error) {
	return l.log.Query(params...)
}

// notified returns when the group was last notified through the integration; zero: never.
func (l *notificationLog) notified(r *nflogpb.Receiver, groupKey string) time.Time {
	entries, err := l.Query(nflog.QGroupKey(groupKey), nflog.QReceiver(r))
	if err != nil || len(entries) == 0 {
		return time.Time{}
	}
	return entries[0].Timestamp.AsTime()
}

func openNotificationLog(o *Options) (*notificationLog, error) {
	path := filepath.Join(o.Directory, notificationsFile)
	content, err := readState(path, o.Logger)
	if err != nil {
		return nil, err
	}
	// An entry that cannot be decoded leaves an empty log.
	log, err := nflog.New(nflog.Options{
		SnapshotReader: bytes.NewReader(content), Retention: o.Retention,
		Logger: o.Logger.With("component", "nflog"), Metrics: o.Registry,
	})
	if log == nil {
		return nil, err
	}
	if err != nil {
		discarded(o.Logger, path, err)
	}
	l := &notificationLog{log: log}
	if l.journal, err = journal.Create(path, snapshotOf(log.MarshalBinary)); err != nil {
		return nil, err
	}
	log.SetBroadcast(func(entry []byte) { l.journal.Append(bytes.Clone(entry)) })
	return l, nil
}

// silences is upstream's set, and the journal that the API syncs.
type silences struct {
	*silence.Silences

	journal *journal.Journal
}

func openSilences(o *Options) (*silences, error) {
	path := filepath.Join(o.Directory, silencesFile)
	content, err := readState(path, o.Logger)
	if err != nil {
		return nil, err
	}
	kept, aside, err := restored(content)
	if err != nil {
		return nil, err
	}
	if aside > 0 {
		if err = journal.Keep(path+".aside", content); err != nil {
			return nil, err
		}
		o.Logger.Error("Silences are set aside: their regular expressions would be too much to compile",
			"path", path, "kept", path+".aside", "silences", aside, "most", maxAllRegexps)
		content = kept
	}
	all, err := silence.New(silence.Options{
		SnapshotReader: bytes.NewReader(content), Retention: o.Retention,
		Limits: silence.Limits{
			MaxSilences:         func() int { return o.MaxSilences },
			MaxSilenceSizeBytes: func() int { return maxSilenceBytes },
		},
		Logger: o.Logger.With("component", "silences"), Metrics: o.Registry, EventRecorder: eventrecorder.NopRecorder(),
	})
	if all == nil {
		return nil, err
	}
	if err != nil {
		discarded(o.Logger, path, err)
	}
	s := &silences{Silences: all}
	if s.journal, err = journal.Create(path, snapshotOf(all.MarshalBinary)); err != nil {
		return nil, err
	}
	all.SetBroadcast(func(entry []byte) { s.journal.Append(bytes.Clone(entry)) })
	return s, nil
}

// stored returns all silences, ended ones as well.
func (s *silences) stored() ([]*silencepb.Silence, error) {
	all, _, err := s.Query(context.Background())
	return all, err
}

// maxSilenceBytes bounds one silence; matchers and comments are short.
const maxSilenceBytes = 64 << 10

// readState returns the records of a file in one piece: upstream's snapshots are sequences
// of entries, of which a later one with the same key replaces an earlier one.
func readState(path string, logger *slog.Logger) ([]byte, error) {
	records, damaged, err := journal.Read(path)
	if err != nil {
		return nil, err
	}
	if damaged != "" {
		logger.Error("State file is damaged; its complete records are in use, the damaged file is kept", "path", path, "kept", damaged, "records", len(records))
	}
	return bytes.Join(records, nil), nil
}

func discarded(logger *slog.Logger, path string, err error) {
	logger.Error("State file cannot be decoded and is discarded", "path", path, "err", err)
}

// snapshotOf returns a journal's snapshot of one record.
func snapshotOf(marshal func() ([]byte, error)) journal.Snapshot {
	return func() ([][]byte, error) {
		content, err := marshal()
		if err != nil || len(content) == 0 {
			return nil, err
		}
		return [][]byte{content}, nil
	}
}

// gc removes what is older than the retention, and makes the files as small as their content.
func gc(log *notificationLog, silences *silences, logger *slog.Logger) {
	for name, step := range map[string]func() error{
		notificationsFile:                    func() error { _, err := log.log.GC(); return err },
		silencesFile:                         func() error { _, err := silences.GC(); return err },
		"compaction of " + notificationsFile: log.journal.Compact,
		"compaction of " + silencesFile:      silences.journal.Compact,
	} {
		if err := step(); err != nil {
			logger.Error("Maintenance failed", "step", name, "err", err)
		}
	}
}

// durably delays the response to a request that changes something until sync returns; an
// error of sync becomes the response. Upstream cannot take a change back.
func durably(sync func() error, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost && r.Method != http.MethodDelete {
			next.ServeHTTP(w, r)
			return
		}
		response := &buffered{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(response, r)
		if err := sync(); err != nil {
			http.Error(w, "the change is in effect, and not on disk yet: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(response.status)
		_, _ = w.Write(response.body.Bytes())
	})
}

// buffered holds a response back.
type buffered struct {
	http.ResponseWriter

	status int
	body   bytes.Buffer
}

func (b *buffered) WriteHeader(status int)            { b.status = status }
func (b *buffered) Write(content []byte) (int, error) { return b.body.Write(content) }
