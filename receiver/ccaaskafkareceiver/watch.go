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
)

// hear tells what the group's client complains of.
func (r *kafkaReceiver) hear(ctx context.Context) {
	for {
		fetches := r.member.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return
		}
		if err := fetches.Err(); err != nil {
			r.set.Logger.Error("The group cannot be taken part in", zap.String("group_id", r.config.GroupID), zap.Error(err))
			r.status.set(ctx, group, err)
		}
		if !pause(ctx, time.Second) {
			return
		}
	}
}

const (
	// askEvery is how often the brokers are asked where the partitions end.
	askEvery = 250 * time.Millisecond
	// askTimeout is how long they may take before health shows it.
	askTimeout = 5 * time.Second
	// commitEvery is how often the group is told the positions. It is for tools that
	// show the lag of groups; nothing is read from there.
	commitEvery = 5 * time.Second
)

// watch finds out where the partitions end.
func (r *kafkaReceiver) watch(ctx context.Context) {
	admin, told := kadm.NewClient(r.member), time.Now()
	for pause(ctx, askEvery) {
		asked := time.Now()
		r.status.set(ctx, ends, r.ask(ctx, admin))
		if time.Since(told) >= commitEvery {
			told = asked
			r.commit(ctx)
		}
	}
}

// ask asks the brokers where the partitions end, and lets those that are here know.
func (r *kafkaReceiver) ask(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := time.Now()
	listed, err := admin.ListCommittedOffsets(ctx, r.config.Topic)
	for number, a := range r.here() {
		if end, ok := listed.Lookup(r.config.Topic, number); ok && end.Err == nil {
			a.saw(end.Offset, asked)
		}
	}
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("brokers: %s: do not say where %s ends: %w", strings.Join(r.config.Brokers, ", "), r.config.Topic, err)
	}
	return nil
}

// commit tells the group the positions that are saved.
func (r *kafkaReceiver) commit(ctx context.Context) {
	offsets := map[int32]kgo.EpochOffset{}
	for number, a := range r.here() {
		_, saved := a.figures()
		offsets[number] = kgo.EpochOffset{Epoch: -1, Offset: saved}
	}
	if len(offsets) > 0 {
		r.member.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{r.config.Topic: offsets}, nil)
	}
}
