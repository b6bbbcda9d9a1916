package vexfs

import (
	"encoding/binary"
	"math"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// toVector packs the components as the contract wants them: little-endian, 4 bytes each.
func toVector(values []float32) *pb.Vector {
	packed := make([]byte, 4*len(values))
	for i, value := range values {
		binary.LittleEndian.PutUint32(packed[4*i:], math.Float32bits(value))
	}
	return &pb.Vector{Values: packed}
}

func fromVector(m *pb.Vector) []float32 {
	packed := m.GetValues()
	values := make([]float32, len(packed)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
	}
	return values
}

func toVectors(vectors map[string][]float32) map[string]*pb.Vector {
	messages := make(map[string]*pb.Vector, len(vectors))
	for name, values := range vectors {
		messages[name] = toVector(values)
	}
	return messages
}

func fromVectors(messages map[string]*pb.Vector) map[string][]float32 {
	if len(messages) == 0 {
		return nil
	}
	vectors := make(map[string][]float32, len(messages))
	for name, message := range messages {
		vectors[name] = fromVector(message)
	}
	return vectors
}
