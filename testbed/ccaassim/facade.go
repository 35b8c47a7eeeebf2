// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaassim

import (
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api/notifications"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/config"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

type (
	// Config holds all settings.
	Config = config.Config
	// Delivery is which sockets of an API get an event.
	Delivery = config.Delivery
	// TimestampForm is how timestamps are written.
	TimestampForm = config.TimestampForm
	// FrameForm is how events are put into a frame.
	FrameForm = traffic.FrameForm
	// Series names one set of dimensions.
	Series = traffic.Series
	// Trouble is every fault that can be requested.
	Trouble = fault.Trouble
	// Failure is an HTTP status in place of a response.
	Failure = fault.Failure
	// Rejection is which topics are rejected.
	Rejection = fault.Rejection
	// Truth is what was sent.
	Truth = truth.Truth
	// APITruth is what one API sent.
	APITruth = truth.APITruth
	// SeriesTruth is the truth of one series.
	SeriesTruth = truth.SeriesTruth
	// SeriesCounts are the counts of one series.
	SeriesCounts = truth.SeriesCounts
	// Counts are the numbers of one series.
	Counts = truth.Counts
)

// The constants of those types.
const (
	FrameObject = traffic.FrameObject
	FrameArray  = traffic.FrameArray
	FrameLines  = traffic.FrameLines
	FrameMixed  = traffic.FrameMixed

	TimestampSeconds      = config.TimestampSeconds
	TimestampMilliseconds = config.TimestampMilliseconds
	TimestampMicroseconds = config.TimestampMicroseconds
	TimestampNanoseconds  = config.TimestampNanoseconds
	TimestampRFC3339      = config.TimestampRFC3339

	DeliverTurn      = config.DeliverTurn
	DeliverClient    = config.DeliverClient
	DeliverBroadcast = config.DeliverBroadcast

	SubprotocolGenesys = config.SubprotocolGenesys
	SubprotocolNICE    = config.SubprotocolNICE

	AnswerSame = fault.AnswerSame
	AnswerNone = fault.AnswerNone

	QueuesPath = notifications.QueuesPath
)

// DefaultConfig is a small platform without trouble, on a free port of loopback.
func DefaultConfig() Config { return config.Default() }

// DefaultTrouble is none, with defaults for the details of each fault.
func DefaultTrouble() Trouble { return fault.DefaultTrouble() }
