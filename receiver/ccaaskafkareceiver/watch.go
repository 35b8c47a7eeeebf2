// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/partitioned"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
)

// pollGroup logs the errors of the group's client.
func (r *kafkaReceiver) pollGroup(ctx context.Context) {
	for {
		fetches := r.member.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		if err := fetches.Err(); err != nil {
			r.set.Logger.Error("Consumer group cannot be joined", zap.String("group_id", r.config.GroupID), zap.Error(err))
			r.engine.Status.Set(ctx, partitioned.Group, err)
		}
		if !pause.For(ctx, time.Second) {
			return
		}
	}
}

const (
	// queryInterval is the interval at which the end offsets are queried.
	queryInterval = 250 * time.Millisecond
	// queryTimeout is the maximum time of a query, before it is reported as status.
	queryTimeout = 5 * time.Second
	// commitInterval is the interval at which positions are committed to the group. They are for
	// tools that show the lag of groups and are not read.
	commitInterval = 5 * time.Second
)

// watch queries the end offsets of the partitions.
func (r *kafkaReceiver) watch(ctx context.Context) {
	admin, committedAt := kadm.NewClient(r.member), time.Now()
	for pause.For(ctx, queryInterval) {
		queriedAt := time.Now()
		r.engine.Status.Set(ctx, partitioned.Ends, r.queryEndOffsets(ctx, admin))
		if time.Since(committedAt) >= commitInterval {
			committedAt = queriedAt
			r.commit(ctx)
		}
	}
}

// queryEndOffsets queries the end offsets and passes them to the assigned partitions.
func (r *kafkaReceiver) queryEndOffsets(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	queriedAt := time.Now()
	listed, err := admin.ListCommittedOffsets(ctx, r.config.Topic)
	for number, a := range r.engine.Active() {
		if end, ok := listed.Lookup(r.config.Topic, number); ok && end.Err == nil {
			a.EndOffset(end.Offset, queriedAt)
		}
	}
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("brokers: %s: cannot query the end offsets of %s: %w", strings.Join(r.config.Brokers, ", "), r.config.Topic, err)
	}
	return nil
}

// commit commits the saved positions to the group.
func (r *kafkaReceiver) commit(ctx context.Context) {
	offsets := map[int32]kgo.EpochOffset{}
	for number, a := range r.engine.Active() {
		_, saved := a.LagAndSaved()
		offsets[number] = kgo.EpochOffset{Epoch: -1, Offset: saved}
	}
	if len(offsets) > 0 {
		r.member.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.config.Topic: offsets}, nil)
	}
}
