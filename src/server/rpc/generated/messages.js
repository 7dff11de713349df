/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars*/
import $protobuf from "protobufjs/minimal.js";

const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;

const $root = $protobuf.roots["iommu-broker"] || ($protobuf.roots["iommu-broker"] = {});

export const grpc = $root.grpc = (() => {

    const grpc = {};

    grpc.health = (function() {

        const health = {};

        health.v1 = (function() {

            const v1 = {};

            v1.HealthListRequest = (function() {

                function HealthListRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                HealthListRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    return writer;
                };

                HealthListRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.health.v1.HealthListRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return HealthListRequest;
            })();

            v1.HealthListResponse = (function() {

                function HealthListResponse(properties) {
                    this.statuses = {};
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                HealthListResponse.prototype.statuses = $util.emptyObject;

                HealthListResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.statuses != null && Object.hasOwnProperty.call(message, "statuses"))
                        for (let keys = Object.keys(message.statuses), i = 0; i < keys.length; ++i) {
                            writer.uint32(10).fork().uint32(10).string(keys[i]);
                            $root.grpc.health.v1.HealthCheckResponse.encode(message.statuses[keys[i]], writer.uint32(18).fork(), q + 1).ldelim().ldelim();
                        }
                    return writer;
                };

                HealthListResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message, key, value;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.health.v1.HealthListResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                if (message.statuses === $util.emptyObject)
                                    message.statuses = {};
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                key = "";
                                value = null;
                                while (reader.pos < end2) {
                                    let tag2 = reader.uint32();
                                    switch (tag2 >>> 3) {
                                    case 1:
                                        key = reader.string();
                                        break;
                                    case 2:
                                        value = $root.grpc.health.v1.HealthCheckResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                        break;
                                    default:
                                        reader.skipType(tag2 & 7, long);
                                        break;
                                    }
                                }
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                                if (key === "__proto__")
                                    $util.makeProp(message.statuses, key);
                                message.statuses[key] = value;
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return HealthListResponse;
            })();

            v1.HealthCheckRequest = (function() {

                function HealthCheckRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                HealthCheckRequest.prototype.service = "";

                HealthCheckRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.service != null && Object.hasOwnProperty.call(message, "service"))
                        writer.uint32(10).string(message.service);
                    return writer;
                };

                HealthCheckRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.health.v1.HealthCheckRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.service = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return HealthCheckRequest;
            })();

            v1.HealthCheckResponse = (function() {

                function HealthCheckResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                HealthCheckResponse.prototype.status = 0;

                HealthCheckResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.status != null && Object.hasOwnProperty.call(message, "status"))
                        writer.uint32(8).int32(message.status);
                    return writer;
                };

                HealthCheckResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.health.v1.HealthCheckResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.status = reader.int32();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                HealthCheckResponse.ServingStatus = (function() {
                    const valuesById = {}, values = Object.create(valuesById);
                    values[valuesById[0] = "UNKNOWN"] = 0;
                    values[valuesById[1] = "SERVING"] = 1;
                    values[valuesById[2] = "NOT_SERVING"] = 2;
                    values[valuesById[3] = "SERVICE_UNKNOWN"] = 3;
                    return values;
                })();

                return HealthCheckResponse;
            })();

            return v1;
        })();

        return health;
    })();

    grpc.reflection = (function() {

        const reflection = {};

        reflection.v1 = (function() {

            const v1 = {};

            v1.ServerReflectionRequest = (function() {

                function ServerReflectionRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ServerReflectionRequest.prototype.host = "";
                ServerReflectionRequest.prototype.fileByFilename = null;
                ServerReflectionRequest.prototype.fileContainingSymbol = null;
                ServerReflectionRequest.prototype.fileContainingExtension = null;
                ServerReflectionRequest.prototype.allExtensionNumbersOfType = null;
                ServerReflectionRequest.prototype.listServices = null;

                let $oneOfFields;

                Object.defineProperty(ServerReflectionRequest.prototype, "messageRequest", {
                    get: $util.oneOfGetter($oneOfFields = ["fileByFilename", "fileContainingSymbol", "fileContainingExtension", "allExtensionNumbersOfType", "listServices"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                ServerReflectionRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.host != null && Object.hasOwnProperty.call(message, "host"))
                        writer.uint32(10).string(message.host);
                    if (message.fileByFilename != null && Object.hasOwnProperty.call(message, "fileByFilename"))
                        writer.uint32(26).string(message.fileByFilename);
                    if (message.fileContainingSymbol != null && Object.hasOwnProperty.call(message, "fileContainingSymbol"))
                        writer.uint32(34).string(message.fileContainingSymbol);
                    if (message.fileContainingExtension != null && Object.hasOwnProperty.call(message, "fileContainingExtension"))
                        $root.grpc.reflection.v1.ExtensionRequest.encode(message.fileContainingExtension, writer.uint32(42).fork(), q + 1).ldelim();
                    if (message.allExtensionNumbersOfType != null && Object.hasOwnProperty.call(message, "allExtensionNumbersOfType"))
                        writer.uint32(50).string(message.allExtensionNumbersOfType);
                    if (message.listServices != null && Object.hasOwnProperty.call(message, "listServices"))
                        writer.uint32(58).string(message.listServices);
                    return writer;
                };

                ServerReflectionRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ServerReflectionRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.host = reader.string();
                                break;
                            }
                        case 3: {
                                message.fileByFilename = reader.string();
                                break;
                            }
                        case 4: {
                                message.fileContainingSymbol = reader.string();
                                break;
                            }
                        case 5: {
                                message.fileContainingExtension = $root.grpc.reflection.v1.ExtensionRequest.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 6: {
                                message.allExtensionNumbersOfType = reader.string();
                                break;
                            }
                        case 7: {
                                message.listServices = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ServerReflectionRequest;
            })();

            v1.ExtensionRequest = (function() {

                function ExtensionRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ExtensionRequest.prototype.containingType = "";
                ExtensionRequest.prototype.extensionNumber = 0;

                ExtensionRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.containingType != null && Object.hasOwnProperty.call(message, "containingType"))
                        writer.uint32(10).string(message.containingType);
                    if (message.extensionNumber != null && Object.hasOwnProperty.call(message, "extensionNumber"))
                        writer.uint32(16).int32(message.extensionNumber);
                    return writer;
                };

                ExtensionRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ExtensionRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.containingType = reader.string();
                                break;
                            }
                        case 2: {
                                message.extensionNumber = reader.int32();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ExtensionRequest;
            })();

            v1.ServerReflectionResponse = (function() {

                function ServerReflectionResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ServerReflectionResponse.prototype.validHost = "";
                ServerReflectionResponse.prototype.originalRequest = null;
                ServerReflectionResponse.prototype.fileDescriptorResponse = null;
                ServerReflectionResponse.prototype.allExtensionNumbersResponse = null;
                ServerReflectionResponse.prototype.listServicesResponse = null;
                ServerReflectionResponse.prototype.errorResponse = null;

                let $oneOfFields;

                Object.defineProperty(ServerReflectionResponse.prototype, "messageResponse", {
                    get: $util.oneOfGetter($oneOfFields = ["fileDescriptorResponse", "allExtensionNumbersResponse", "listServicesResponse", "errorResponse"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                ServerReflectionResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.validHost != null && Object.hasOwnProperty.call(message, "validHost"))
                        writer.uint32(10).string(message.validHost);
                    if (message.originalRequest != null && Object.hasOwnProperty.call(message, "originalRequest"))
                        $root.grpc.reflection.v1.ServerReflectionRequest.encode(message.originalRequest, writer.uint32(18).fork(), q + 1).ldelim();
                    if (message.fileDescriptorResponse != null && Object.hasOwnProperty.call(message, "fileDescriptorResponse"))
                        $root.grpc.reflection.v1.FileDescriptorResponse.encode(message.fileDescriptorResponse, writer.uint32(34).fork(), q + 1).ldelim();
                    if (message.allExtensionNumbersResponse != null && Object.hasOwnProperty.call(message, "allExtensionNumbersResponse"))
                        $root.grpc.reflection.v1.ExtensionNumberResponse.encode(message.allExtensionNumbersResponse, writer.uint32(42).fork(), q + 1).ldelim();
                    if (message.listServicesResponse != null && Object.hasOwnProperty.call(message, "listServicesResponse"))
                        $root.grpc.reflection.v1.ListServiceResponse.encode(message.listServicesResponse, writer.uint32(50).fork(), q + 1).ldelim();
                    if (message.errorResponse != null && Object.hasOwnProperty.call(message, "errorResponse"))
                        $root.grpc.reflection.v1.ErrorResponse.encode(message.errorResponse, writer.uint32(58).fork(), q + 1).ldelim();
                    return writer;
                };

                ServerReflectionResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ServerReflectionResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.validHost = reader.string();
                                break;
                            }
                        case 2: {
                                message.originalRequest = $root.grpc.reflection.v1.ServerReflectionRequest.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 4: {
                                message.fileDescriptorResponse = $root.grpc.reflection.v1.FileDescriptorResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 5: {
                                message.allExtensionNumbersResponse = $root.grpc.reflection.v1.ExtensionNumberResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 6: {
                                message.listServicesResponse = $root.grpc.reflection.v1.ListServiceResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 7: {
                                message.errorResponse = $root.grpc.reflection.v1.ErrorResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ServerReflectionResponse;
            })();

            v1.FileDescriptorResponse = (function() {

                function FileDescriptorResponse(properties) {
                    this.fileDescriptorProto = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                FileDescriptorResponse.prototype.fileDescriptorProto = $util.emptyArray;

                FileDescriptorResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.fileDescriptorProto != null && message.fileDescriptorProto.length)
                        for (let i = 0; i < message.fileDescriptorProto.length; ++i)
                            writer.uint32(10).bytes(message.fileDescriptorProto[i]);
                    return writer;
                };

                FileDescriptorResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.FileDescriptorResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                if (!(message.fileDescriptorProto && message.fileDescriptorProto.length))
                                    message.fileDescriptorProto = [];
                                message.fileDescriptorProto.push(reader.bytes());
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return FileDescriptorResponse;
            })();

            v1.ExtensionNumberResponse = (function() {

                function ExtensionNumberResponse(properties) {
                    this.extensionNumber = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ExtensionNumberResponse.prototype.baseTypeName = "";
                ExtensionNumberResponse.prototype.extensionNumber = $util.emptyArray;

                ExtensionNumberResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.baseTypeName != null && Object.hasOwnProperty.call(message, "baseTypeName"))
                        writer.uint32(10).string(message.baseTypeName);
                    if (message.extensionNumber != null && message.extensionNumber.length) {
                        writer.uint32(18).fork();
                        for (let i = 0; i < message.extensionNumber.length; ++i)
                            writer.int32(message.extensionNumber[i]);
                        writer.ldelim();
                    }
                    return writer;
                };

                ExtensionNumberResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ExtensionNumberResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.baseTypeName = reader.string();
                                break;
                            }
                        case 2: {
                                if (!(message.extensionNumber && message.extensionNumber.length))
                                    message.extensionNumber = [];
                                if ((tag & 7) === 2) {
                                    let end2 = reader.uint32() + reader.pos;
                                    if (end2 > reader.len)
                                        throw RangeError("index out of range");
                                    reader.len = end2;
                                    while (reader.pos < end2)
                                        message.extensionNumber.push(reader.int32());
                                    if (reader.pos !== end2)
                                        throw RangeError("index out of range");
                                    reader.len = end;
                                } else
                                    message.extensionNumber.push(reader.int32());
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ExtensionNumberResponse;
            })();

            v1.ListServiceResponse = (function() {

                function ListServiceResponse(properties) {
                    this.service = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ListServiceResponse.prototype.service = $util.emptyArray;

                ListServiceResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.service != null && message.service.length)
                        for (let i = 0; i < message.service.length; ++i)
                            $root.grpc.reflection.v1.ServiceResponse.encode(message.service[i], writer.uint32(10).fork(), q + 1).ldelim();
                    return writer;
                };

                ListServiceResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ListServiceResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                if (!(message.service && message.service.length))
                                    message.service = [];
                                message.service.push($root.grpc.reflection.v1.ServiceResponse.decode(reader, reader.uint32(), undefined, long + 1));
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ListServiceResponse;
            })();

            v1.ServiceResponse = (function() {

                function ServiceResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ServiceResponse.prototype.name = "";

                ServiceResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                        writer.uint32(10).string(message.name);
                    return writer;
                };

                ServiceResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ServiceResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.name = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ServiceResponse;
            })();

            v1.ErrorResponse = (function() {

                function ErrorResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ErrorResponse.prototype.errorCode = 0;
                ErrorResponse.prototype.errorMessage = "";

                ErrorResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.errorCode != null && Object.hasOwnProperty.call(message, "errorCode"))
                        writer.uint32(8).int32(message.errorCode);
                    if (message.errorMessage != null && Object.hasOwnProperty.call(message, "errorMessage"))
                        writer.uint32(18).string(message.errorMessage);
                    return writer;
                };

                ErrorResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1.ErrorResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.errorCode = reader.int32();
                                break;
                            }
                        case 2: {
                                message.errorMessage = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ErrorResponse;
            })();

            return v1;
        })();

        reflection.v1alpha = (function() {

            const v1alpha = {};

            v1alpha.ServerReflectionRequest = (function() {

                function ServerReflectionRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ServerReflectionRequest.prototype.host = "";
                ServerReflectionRequest.prototype.fileByFilename = null;
                ServerReflectionRequest.prototype.fileContainingSymbol = null;
                ServerReflectionRequest.prototype.fileContainingExtension = null;
                ServerReflectionRequest.prototype.allExtensionNumbersOfType = null;
                ServerReflectionRequest.prototype.listServices = null;

                let $oneOfFields;

                Object.defineProperty(ServerReflectionRequest.prototype, "messageRequest", {
                    get: $util.oneOfGetter($oneOfFields = ["fileByFilename", "fileContainingSymbol", "fileContainingExtension", "allExtensionNumbersOfType", "listServices"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                ServerReflectionRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.host != null && Object.hasOwnProperty.call(message, "host"))
                        writer.uint32(10).string(message.host);
                    if (message.fileByFilename != null && Object.hasOwnProperty.call(message, "fileByFilename"))
                        writer.uint32(26).string(message.fileByFilename);
                    if (message.fileContainingSymbol != null && Object.hasOwnProperty.call(message, "fileContainingSymbol"))
                        writer.uint32(34).string(message.fileContainingSymbol);
                    if (message.fileContainingExtension != null && Object.hasOwnProperty.call(message, "fileContainingExtension"))
                        $root.grpc.reflection.v1alpha.ExtensionRequest.encode(message.fileContainingExtension, writer.uint32(42).fork(), q + 1).ldelim();
                    if (message.allExtensionNumbersOfType != null && Object.hasOwnProperty.call(message, "allExtensionNumbersOfType"))
                        writer.uint32(50).string(message.allExtensionNumbersOfType);
                    if (message.listServices != null && Object.hasOwnProperty.call(message, "listServices"))
                        writer.uint32(58).string(message.listServices);
                    return writer;
                };

                ServerReflectionRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ServerReflectionRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.host = reader.string();
                                break;
                            }
                        case 3: {
                                message.fileByFilename = reader.string();
                                break;
                            }
                        case 4: {
                                message.fileContainingSymbol = reader.string();
                                break;
                            }
                        case 5: {
                                message.fileContainingExtension = $root.grpc.reflection.v1alpha.ExtensionRequest.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 6: {
                                message.allExtensionNumbersOfType = reader.string();
                                break;
                            }
                        case 7: {
                                message.listServices = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ServerReflectionRequest;
            })();

            v1alpha.ExtensionRequest = (function() {

                function ExtensionRequest(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ExtensionRequest.prototype.containingType = "";
                ExtensionRequest.prototype.extensionNumber = 0;

                ExtensionRequest.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.containingType != null && Object.hasOwnProperty.call(message, "containingType"))
                        writer.uint32(10).string(message.containingType);
                    if (message.extensionNumber != null && Object.hasOwnProperty.call(message, "extensionNumber"))
                        writer.uint32(16).int32(message.extensionNumber);
                    return writer;
                };

                ExtensionRequest.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ExtensionRequest();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.containingType = reader.string();
                                break;
                            }
                        case 2: {
                                message.extensionNumber = reader.int32();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ExtensionRequest;
            })();

            v1alpha.ServerReflectionResponse = (function() {

                function ServerReflectionResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ServerReflectionResponse.prototype.validHost = "";
                ServerReflectionResponse.prototype.originalRequest = null;
                ServerReflectionResponse.prototype.fileDescriptorResponse = null;
                ServerReflectionResponse.prototype.allExtensionNumbersResponse = null;
                ServerReflectionResponse.prototype.listServicesResponse = null;
                ServerReflectionResponse.prototype.errorResponse = null;

                let $oneOfFields;

                Object.defineProperty(ServerReflectionResponse.prototype, "messageResponse", {
                    get: $util.oneOfGetter($oneOfFields = ["fileDescriptorResponse", "allExtensionNumbersResponse", "listServicesResponse", "errorResponse"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                ServerReflectionResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.validHost != null && Object.hasOwnProperty.call(message, "validHost"))
                        writer.uint32(10).string(message.validHost);
                    if (message.originalRequest != null && Object.hasOwnProperty.call(message, "originalRequest"))
                        $root.grpc.reflection.v1alpha.ServerReflectionRequest.encode(message.originalRequest, writer.uint32(18).fork(), q + 1).ldelim();
                    if (message.fileDescriptorResponse != null && Object.hasOwnProperty.call(message, "fileDescriptorResponse"))
                        $root.grpc.reflection.v1alpha.FileDescriptorResponse.encode(message.fileDescriptorResponse, writer.uint32(34).fork(), q + 1).ldelim();
                    if (message.allExtensionNumbersResponse != null && Object.hasOwnProperty.call(message, "allExtensionNumbersResponse"))
                        $root.grpc.reflection.v1alpha.ExtensionNumberResponse.encode(message.allExtensionNumbersResponse, writer.uint32(42).fork(), q + 1).ldelim();
                    if (message.listServicesResponse != null && Object.hasOwnProperty.call(message, "listServicesResponse"))
                        $root.grpc.reflection.v1alpha.ListServiceResponse.encode(message.listServicesResponse, writer.uint32(50).fork(), q + 1).ldelim();
                    if (message.errorResponse != null && Object.hasOwnProperty.call(message, "errorResponse"))
                        $root.grpc.reflection.v1alpha.ErrorResponse.encode(message.errorResponse, writer.uint32(58).fork(), q + 1).ldelim();
                    return writer;
                };

                ServerReflectionResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ServerReflectionResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.validHost = reader.string();
                                break;
                            }
                        case 2: {
                                message.originalRequest = $root.grpc.reflection.v1alpha.ServerReflectionRequest.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 4: {
                                message.fileDescriptorResponse = $root.grpc.reflection.v1alpha.FileDescriptorResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 5: {
                                message.allExtensionNumbersResponse = $root.grpc.reflection.v1alpha.ExtensionNumberResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 6: {
                                message.listServicesResponse = $root.grpc.reflection.v1alpha.ListServiceResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        case 7: {
                                message.errorResponse = $root.grpc.reflection.v1alpha.ErrorResponse.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ServerReflectionResponse;
            })();

            v1alpha.FileDescriptorResponse = (function() {

                function FileDescriptorResponse(properties) {
                    this.fileDescriptorProto = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                FileDescriptorResponse.prototype.fileDescriptorProto = $util.emptyArray;

                FileDescriptorResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.fileDescriptorProto != null && message.fileDescriptorProto.length)
                        for (let i = 0; i < message.fileDescriptorProto.length; ++i)
                            writer.uint32(10).bytes(message.fileDescriptorProto[i]);
                    return writer;
                };

                FileDescriptorResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.FileDescriptorResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                if (!(message.fileDescriptorProto && message.fileDescriptorProto.length))
                                    message.fileDescriptorProto = [];
                                message.fileDescriptorProto.push(reader.bytes());
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return FileDescriptorResponse;
            })();

            v1alpha.ExtensionNumberResponse = (function() {

                function ExtensionNumberResponse(properties) {
                    this.extensionNumber = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ExtensionNumberResponse.prototype.baseTypeName = "";
                ExtensionNumberResponse.prototype.extensionNumber = $util.emptyArray;

                ExtensionNumberResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.baseTypeName != null && Object.hasOwnProperty.call(message, "baseTypeName"))
                        writer.uint32(10).string(message.baseTypeName);
                    if (message.extensionNumber != null && message.extensionNumber.length) {
                        writer.uint32(18).fork();
                        for (let i = 0; i < message.extensionNumber.length; ++i)
                            writer.int32(message.extensionNumber[i]);
                        writer.ldelim();
                    }
                    return writer;
                };

                ExtensionNumberResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ExtensionNumberResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.baseTypeName = reader.string();
                                break;
                            }
                        case 2: {
                                if (!(message.extensionNumber && message.extensionNumber.length))
                                    message.extensionNumber = [];
                                if ((tag & 7) === 2) {
                                    let end2 = reader.uint32() + reader.pos;
                                    if (end2 > reader.len)
                                        throw RangeError("index out of range");
                                    reader.len = end2;
                                    while (reader.pos < end2)
                                        message.extensionNumber.push(reader.int32());
                                    if (reader.pos !== end2)
                                        throw RangeError("index out of range");
                                    reader.len = end;
                                } else
                                    message.extensionNumber.push(reader.int32());
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ExtensionNumberResponse;
            })();

            v1alpha.ListServiceResponse = (function() {

                function ListServiceResponse(properties) {
                    this.service = [];
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ListServiceResponse.prototype.service = $util.emptyArray;

                ListServiceResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.service != null && message.service.length)
                        for (let i = 0; i < message.service.length; ++i)
                            $root.grpc.reflection.v1alpha.ServiceResponse.encode(message.service[i], writer.uint32(10).fork(), q + 1).ldelim();
                    return writer;
                };

                ListServiceResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ListServiceResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                if (!(message.service && message.service.length))
                                    message.service = [];
                                message.service.push($root.grpc.reflection.v1alpha.ServiceResponse.decode(reader, reader.uint32(), undefined, long + 1));
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ListServiceResponse;
            })();

            v1alpha.ServiceResponse = (function() {

                function ServiceResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ServiceResponse.prototype.name = "";

                ServiceResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                        writer.uint32(10).string(message.name);
                    return writer;
                };

                ServiceResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ServiceResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.name = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ServiceResponse;
            })();

            v1alpha.ErrorResponse = (function() {

                function ErrorResponse(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                ErrorResponse.prototype.errorCode = 0;
                ErrorResponse.prototype.errorMessage = "";

                ErrorResponse.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.errorCode != null && Object.hasOwnProperty.call(message, "errorCode"))
                        writer.uint32(8).int32(message.errorCode);
                    if (message.errorMessage != null && Object.hasOwnProperty.call(message, "errorMessage"))
                        writer.uint32(18).string(message.errorMessage);
                    return writer;
                };

                ErrorResponse.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.grpc.reflection.v1alpha.ErrorResponse();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.errorCode = reader.int32();
                                break;
                            }
                        case 2: {
                                message.errorMessage = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return ErrorResponse;
            })();

            return v1alpha;
        })();

        return reflection;
    })();

    return grpc;
})();

export const iommubroker = $root.iommubroker = (() => {

    const iommubroker = {};

    iommubroker.v1 = (function() {

        const v1 = {};

        v1.AddressSpace = (function() {

            function AddressSpace(properties) {
                this.missingMemory = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AddressSpace.prototype.name = "";
            AddressSpace.prototype.pinning = 0;
            AddressSpace.prototype.populated = false;
            AddressSpace.prototype.mappingCount = 0;
            AddressSpace.prototype.mappedBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            AddressSpace.prototype.missingMemory = $util.emptyArray;

            AddressSpace.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.pinning != null && Object.hasOwnProperty.call(message, "pinning"))
                    writer.uint32(16).int32(message.pinning);
                if (message.populated != null && Object.hasOwnProperty.call(message, "populated"))
                    writer.uint32(24).bool(message.populated);
                if (message.mappingCount != null && Object.hasOwnProperty.call(message, "mappingCount"))
                    writer.uint32(32).uint32(message.mappingCount);
                if (message.mappedBytes != null && Object.hasOwnProperty.call(message, "mappedBytes"))
                    writer.uint32(40).uint64(message.mappedBytes);
                if (message.missingMemory != null && message.missingMemory.length)
                    for (let i = 0; i < message.missingMemory.length; ++i)
                        writer.uint32(50).string(message.missingMemory[i]);
                return writer;
            };

            AddressSpace.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AddressSpace();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.pinning = reader.int32();
                            break;
                        }
                    case 3: {
                            message.populated = reader.bool();
                            break;
                        }
                    case 4: {
                            message.mappingCount = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.mappedBytes = reader.uint64();
                            break;
                        }
                    case 6: {
                            if (!(message.missingMemory && message.missingMemory.length))
                                message.missingMemory = [];
                            message.missingMemory.push(reader.string());
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AddressSpace;
        })();

        v1.PinningPolicy = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "PINNING_POLICY_UNSPECIFIED"] = 0;
            values[valuesById[1] = "PINNING_POLICY_EAGER"] = 1;
            values[valuesById[2] = "PINNING_POLICY_ON_FIRST_BIND"] = 2;
            return values;
        })();

        v1.CreateAddressSpaceRequest = (function() {

            function CreateAddressSpaceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CreateAddressSpaceRequest.prototype.pinning = 0;
            CreateAddressSpaceRequest.prototype.requestId = "";

            CreateAddressSpaceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.pinning != null && Object.hasOwnProperty.call(message, "pinning"))
                    writer.uint32(8).int32(message.pinning);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(18).string(message.requestId);
                return writer;
            };

            CreateAddressSpaceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CreateAddressSpaceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.pinning = reader.int32();
                            break;
                        }
                    case 2: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CreateAddressSpaceRequest;
        })();

        v1.CreateAddressSpaceResponse = (function() {

            function CreateAddressSpaceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CreateAddressSpaceResponse.prototype.addressSpace = null;

            CreateAddressSpaceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    $root.iommubroker.v1.AddressSpace.encode(message.addressSpace, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            CreateAddressSpaceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CreateAddressSpaceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = $root.iommubroker.v1.AddressSpace.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CreateAddressSpaceResponse;
        })();

        v1.DeleteAddressSpaceRequest = (function() {

            function DeleteAddressSpaceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeleteAddressSpaceRequest.prototype.addressSpace = "";
            DeleteAddressSpaceRequest.prototype.requestId = "";

            DeleteAddressSpaceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(18).string(message.requestId);
                return writer;
            };

            DeleteAddressSpaceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeleteAddressSpaceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeleteAddressSpaceRequest;
        })();

        v1.DeleteAddressSpaceResponse = (function() {

            function DeleteAddressSpaceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeleteAddressSpaceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            DeleteAddressSpaceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeleteAddressSpaceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeleteAddressSpaceResponse;
        })();

        v1.MapMemoryRequest = (function() {

            function MapMemoryRequest(properties) {
                this.sources = [];
                this.mappings = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            MapMemoryRequest.prototype.addressSpace = "";
            MapMemoryRequest.prototype.sources = $util.emptyArray;
            MapMemoryRequest.prototype.mappings = $util.emptyArray;
            MapMemoryRequest.prototype.requestId = "";

            MapMemoryRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.sources != null && message.sources.length)
                    for (let i = 0; i < message.sources.length; ++i)
                        $root.iommubroker.v1.MemorySource.encode(message.sources[i], writer.uint32(18).fork(), q + 1).ldelim();
                if (message.mappings != null && message.mappings.length)
                    for (let i = 0; i < message.mappings.length; ++i)
                        $root.iommubroker.v1.MemoryMapping.encode(message.mappings[i], writer.uint32(26).fork(), q + 1).ldelim();
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(34).string(message.requestId);
                return writer;
            };

            MapMemoryRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.MapMemoryRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            if (!(message.sources && message.sources.length))
                                message.sources = [];
                            message.sources.push($root.iommubroker.v1.MemorySource.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 3: {
                            if (!(message.mappings && message.mappings.length))
                                message.mappings = [];
                            message.mappings.push($root.iommubroker.v1.MemoryMapping.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 4: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return MapMemoryRequest;
        })();

        v1.MemorySource = (function() {

            function MemorySource(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            MemorySource.prototype.path = null;
            MemorySource.prototype.ticket = null;

            let $oneOfFields;

            Object.defineProperty(MemorySource.prototype, "source", {
                get: $util.oneOfGetter($oneOfFields = ["path", "ticket"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            MemorySource.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.path != null && Object.hasOwnProperty.call(message, "path"))
                    writer.uint32(10).string(message.path);
                if (message.ticket != null && Object.hasOwnProperty.call(message, "ticket"))
                    writer.uint32(18).string(message.ticket);
                return writer;
            };

            MemorySource.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.MemorySource();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.path = reader.string();
                            break;
                        }
                    case 2: {
                            message.ticket = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return MemorySource;
        })();

        v1.MemoryMapping = (function() {

            function MemoryMapping(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            MemoryMapping.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            MemoryMapping.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            MemoryMapping.prototype.source = 0;
            MemoryMapping.prototype.offset = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            MemoryMapping.prototype.readable = false;
            MemoryMapping.prototype.writable = false;

            MemoryMapping.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(8).uint64(message.ipa);
                if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                    writer.uint32(16).uint64(message.bytes);
                if (message.source != null && Object.hasOwnProperty.call(message, "source"))
                    writer.uint32(24).uint32(message.source);
                if (message.offset != null && Object.hasOwnProperty.call(message, "offset"))
                    writer.uint32(32).uint64(message.offset);
                if (message.readable != null && Object.hasOwnProperty.call(message, "readable"))
                    writer.uint32(40).bool(message.readable);
                if (message.writable != null && Object.hasOwnProperty.call(message, "writable"))
                    writer.uint32(48).bool(message.writable);
                return writer;
            };

            MemoryMapping.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.MemoryMapping();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.bytes = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.source = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.offset = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.readable = reader.bool();
                            break;
                        }
                    case 6: {
                            message.writable = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return MemoryMapping;
        })();

        v1.MapMemoryResponse = (function() {

            function MapMemoryResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            MapMemoryResponse.prototype.addressSpace = null;

            MapMemoryResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    $root.iommubroker.v1.AddressSpace.encode(message.addressSpace, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            MapMemoryResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.MapMemoryResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = $root.iommubroker.v1.AddressSpace.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return MapMemoryResponse;
        })();

        v1.PresentMemoryRequest = (function() {

            function PresentMemoryRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            PresentMemoryRequest.prototype.addressSpace = "";
            PresentMemoryRequest.prototype.label = "";
            PresentMemoryRequest.prototype.ticket = "";
            PresentMemoryRequest.prototype.requestId = "";

            PresentMemoryRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.label != null && Object.hasOwnProperty.call(message, "label"))
                    writer.uint32(18).string(message.label);
                if (message.ticket != null && Object.hasOwnProperty.call(message, "ticket"))
                    writer.uint32(26).string(message.ticket);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(34).string(message.requestId);
                return writer;
            };

            PresentMemoryRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.PresentMemoryRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            message.label = reader.string();
                            break;
                        }
                    case 3: {
                            message.ticket = reader.string();
                            break;
                        }
                    case 4: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return PresentMemoryRequest;
        })();

        v1.PresentMemoryResponse = (function() {

            function PresentMemoryResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            PresentMemoryResponse.prototype.addressSpace = null;

            PresentMemoryResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    $root.iommubroker.v1.AddressSpace.encode(message.addressSpace, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            PresentMemoryResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.PresentMemoryResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = $root.iommubroker.v1.AddressSpace.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return PresentMemoryResponse;
        })();

        v1.UnmapMemoryRequest = (function() {

            function UnmapMemoryRequest(properties) {
                this.ranges = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            UnmapMemoryRequest.prototype.addressSpace = "";
            UnmapMemoryRequest.prototype.ranges = $util.emptyArray;
            UnmapMemoryRequest.prototype.requestId = "";

            UnmapMemoryRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.ranges != null && message.ranges.length)
                    for (let i = 0; i < message.ranges.length; ++i)
                        $root.iommubroker.v1.IpaRange.encode(message.ranges[i], writer.uint32(18).fork(), q + 1).ldelim();
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(26).string(message.requestId);
                return writer;
            };

            UnmapMemoryRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.UnmapMemoryRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            if (!(message.ranges && message.ranges.length))
                                message.ranges = [];
                            message.ranges.push($root.iommubroker.v1.IpaRange.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 3: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return UnmapMemoryRequest;
        })();

        v1.IpaRange = (function() {

            function IpaRange(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            IpaRange.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            IpaRange.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            IpaRange.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(8).uint64(message.ipa);
                if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                    writer.uint32(16).uint64(message.bytes);
                return writer;
            };

            IpaRange.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.IpaRange();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.bytes = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return IpaRange;
        })();

        v1.UnmapMemoryResponse = (function() {

            function UnmapMemoryResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            UnmapMemoryResponse.prototype.addressSpace = null;
            UnmapMemoryResponse.prototype.unmappedBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            UnmapMemoryResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    $root.iommubroker.v1.AddressSpace.encode(message.addressSpace, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.unmappedBytes != null && Object.hasOwnProperty.call(message, "unmappedBytes"))
                    writer.uint32(16).uint64(message.unmappedBytes);
                return writer;
            };

            UnmapMemoryResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.UnmapMemoryResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = $root.iommubroker.v1.AddressSpace.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.unmappedBytes = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return UnmapMemoryResponse;
        })();

        v1.AdminSession = (function() {

            function AdminSession(properties) {
                this.devices = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AdminSession.prototype.session = null;
            AdminSession.prototype.identity = "";
            AdminSession.prototype.state = 0;
            AdminSession.prototype.leaseRemainingMs = 0;
            AdminSession.prototype.devices = $util.emptyArray;
            AdminSession.prototype.mappedBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            AdminSession.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                    $root.iommubroker.v1.Session.encode(message.session, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.identity != null && Object.hasOwnProperty.call(message, "identity"))
                    writer.uint32(18).string(message.identity);
                if (message.state != null && Object.hasOwnProperty.call(message, "state"))
                    writer.uint32(24).int32(message.state);
                if (message.leaseRemainingMs != null && Object.hasOwnProperty.call(message, "leaseRemainingMs"))
                    writer.uint32(32).uint32(message.leaseRemainingMs);
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        writer.uint32(42).string(message.devices[i]);
                if (message.mappedBytes != null && Object.hasOwnProperty.call(message, "mappedBytes"))
                    writer.uint32(48).uint64(message.mappedBytes);
                return writer;
            };

            AdminSession.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AdminSession();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.session = $root.iommubroker.v1.Session.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.identity = reader.string();
                            break;
                        }
                    case 3: {
                            message.state = reader.int32();
                            break;
                        }
                    case 4: {
                            message.leaseRemainingMs = reader.uint32();
                            break;
                        }
                    case 5: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push(reader.string());
                            break;
                        }
                    case 6: {
                            message.mappedBytes = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AdminSession;
        })();

        v1.AdminSessionState = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "ADMIN_SESSION_STATE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "ADMIN_SESSION_STATE_LIVE"] = 1;
            values[valuesById[2] = "ADMIN_SESSION_STATE_ENDING"] = 2;
            values[valuesById[3] = "ADMIN_SESSION_STATE_LOST"] = 3;
            return values;
        })();

        v1.ListSessionsRequest = (function() {

            function ListSessionsRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListSessionsRequest.prototype.pageSize = 0;
            ListSessionsRequest.prototype.pageToken = "";

            ListSessionsRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.pageSize != null && Object.hasOwnProperty.call(message, "pageSize"))
                    writer.uint32(8).uint32(message.pageSize);
                if (message.pageToken != null && Object.hasOwnProperty.call(message, "pageToken"))
                    writer.uint32(18).string(message.pageToken);
                return writer;
            };

            ListSessionsRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListSessionsRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.pageSize = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.pageToken = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListSessionsRequest;
        })();

        v1.ListSessionsResponse = (function() {

            function ListSessionsResponse(properties) {
                this.sessions = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListSessionsResponse.prototype.sessions = $util.emptyArray;
            ListSessionsResponse.prototype.nextPageToken = "";

            ListSessionsResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.sessions != null && message.sessions.length)
                    for (let i = 0; i < message.sessions.length; ++i)
                        $root.iommubroker.v1.AdminSession.encode(message.sessions[i], writer.uint32(10).fork(), q + 1).ldelim();
                if (message.nextPageToken != null && Object.hasOwnProperty.call(message, "nextPageToken"))
                    writer.uint32(18).string(message.nextPageToken);
                return writer;
            };

            ListSessionsResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListSessionsResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.sessions && message.sessions.length))
                                message.sessions = [];
                            message.sessions.push($root.iommubroker.v1.AdminSession.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 2: {
                            message.nextPageToken = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListSessionsResponse;
        })();

        v1.RevokeSessionRequest = (function() {

            function RevokeSessionRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RevokeSessionRequest.prototype.session = "";
            RevokeSessionRequest.prototype.reason = "";

            RevokeSessionRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                    writer.uint32(10).string(message.session);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(18).string(message.reason);
                return writer;
            };

            RevokeSessionRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RevokeSessionRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.session = reader.string();
                            break;
                        }
                    case 2: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RevokeSessionRequest;
        })();

        v1.RevokeSessionResponse = (function() {

            function RevokeSessionResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RevokeSessionResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            RevokeSessionResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RevokeSessionResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RevokeSessionResponse;
        })();

        v1.ForceReleaseDeviceRequest = (function() {

            function ForceReleaseDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ForceReleaseDeviceRequest.prototype.device = "";
            ForceReleaseDeviceRequest.prototype.reason = "";

            ForceReleaseDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(18).string(message.reason);
                return writer;
            };

            ForceReleaseDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ForceReleaseDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ForceReleaseDeviceRequest;
        })();

        v1.ForceReleaseDeviceResponse = (function() {

            function ForceReleaseDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ForceReleaseDeviceResponse.prototype.device = null;

            ForceReleaseDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            ForceReleaseDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ForceReleaseDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ForceReleaseDeviceResponse;
        })();

        v1.UnquarantineDeviceRequest = (function() {

            function UnquarantineDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            UnquarantineDeviceRequest.prototype.device = "";
            UnquarantineDeviceRequest.prototype.reason = "";

            UnquarantineDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(18).string(message.reason);
                return writer;
            };

            UnquarantineDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.UnquarantineDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return UnquarantineDeviceRequest;
        })();

        v1.UnquarantineDeviceResponse = (function() {

            function UnquarantineDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            UnquarantineDeviceResponse.prototype.device = null;

            UnquarantineDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            UnquarantineDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.UnquarantineDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return UnquarantineDeviceResponse;
        })();

        v1.GetEffectivePolicyRequest = (function() {

            function GetEffectivePolicyRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetEffectivePolicyRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            GetEffectivePolicyRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetEffectivePolicyRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetEffectivePolicyRequest;
        })();

        v1.GetEffectivePolicyResponse = (function() {

            function GetEffectivePolicyResponse(properties) {
                this.rules = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetEffectivePolicyResponse.prototype.rules = $util.emptyArray;

            GetEffectivePolicyResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.rules != null && message.rules.length)
                    for (let i = 0; i < message.rules.length; ++i)
                        $root.iommubroker.v1.EffectivePolicyRule.encode(message.rules[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            GetEffectivePolicyResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetEffectivePolicyResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.rules && message.rules.length))
                                message.rules = [];
                            message.rules.push($root.iommubroker.v1.EffectivePolicyRule.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetEffectivePolicyResponse;
        })();

        v1.EffectivePolicyRule = (function() {

            function EffectivePolicyRule(properties) {
                this.who = [];
                this.verbs = [];
                this.devices = [];
                this.iommuGroups = [];
                this.memoryPaths = [];
                this.quotas = {};
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            EffectivePolicyRule.prototype.name = "";
            EffectivePolicyRule.prototype.allows = false;
            EffectivePolicyRule.prototype.who = $util.emptyArray;
            EffectivePolicyRule.prototype.verbs = $util.emptyArray;
            EffectivePolicyRule.prototype.devices = $util.emptyArray;
            EffectivePolicyRule.prototype.iommuGroups = $util.emptyArray;
            EffectivePolicyRule.prototype.memoryPaths = $util.emptyArray;
            EffectivePolicyRule.prototype.quotas = $util.emptyObject;
            EffectivePolicyRule.prototype.callsPerSecond = 0;
            EffectivePolicyRule.prototype.burst = 0;
            EffectivePolicyRule.prototype.priority = 0;
            EffectivePolicyRule.prototype.mayPreempt = false;

            EffectivePolicyRule.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.allows != null && Object.hasOwnProperty.call(message, "allows"))
                    writer.uint32(16).bool(message.allows);
                if (message.who != null && message.who.length)
                    for (let i = 0; i < message.who.length; ++i)
                        writer.uint32(26).string(message.who[i]);
                if (message.verbs != null && message.verbs.length)
                    for (let i = 0; i < message.verbs.length; ++i)
                        writer.uint32(34).string(message.verbs[i]);
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        writer.uint32(42).string(message.devices[i]);
                if (message.iommuGroups != null && message.iommuGroups.length) {
                    writer.uint32(50).fork();
                    for (let i = 0; i < message.iommuGroups.length; ++i)
                        writer.uint32(message.iommuGroups[i]);
                    writer.ldelim();
                }
                if (message.memoryPaths != null && message.memoryPaths.length)
                    for (let i = 0; i < message.memoryPaths.length; ++i)
                        writer.uint32(58).string(message.memoryPaths[i]);
                if (message.quotas != null && Object.hasOwnProperty.call(message, "quotas"))
                    for (let keys = Object.keys(message.quotas), i = 0; i < keys.length; ++i)
                        writer.uint32(66).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.quotas[keys[i]]).ldelim();
                if (message.callsPerSecond != null && Object.hasOwnProperty.call(message, "callsPerSecond"))
                    writer.uint32(73).double(message.callsPerSecond);
                if (message.burst != null && Object.hasOwnProperty.call(message, "burst"))
                    writer.uint32(80).uint32(message.burst);
                if (message.priority != null && Object.hasOwnProperty.call(message, "priority"))
                    writer.uint32(88).int32(message.priority);
                if (message.mayPreempt != null && Object.hasOwnProperty.call(message, "mayPreempt"))
                    writer.uint32(96).bool(message.mayPreempt);
                return writer;
            };

            EffectivePolicyRule.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message, key, value;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.EffectivePolicyRule();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.allows = reader.bool();
                            break;
                        }
                    case 3: {
                            if (!(message.who && message.who.length))
                                message.who = [];
                            message.who.push(reader.string());
                            break;
                        }
                    case 4: {
                            if (!(message.verbs && message.verbs.length))
                                message.verbs = [];
                            message.verbs.push(reader.string());
                            break;
                        }
                    case 5: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push(reader.string());
                            break;
                        }
                    case 6: {
                            if (!(message.iommuGroups && message.iommuGroups.length))
                                message.iommuGroups = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.iommuGroups.push(reader.uint32());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.iommuGroups.push(reader.uint32());
                            break;
                        }
                    case 7: {
                            if (!(message.memoryPaths && message.memoryPaths.length))
                                message.memoryPaths = [];
                            message.memoryPaths.push(reader.string());
                            break;
                        }
                    case 8: {
                            if (message.quotas === $util.emptyObject)
                                message.quotas = {};
                            let end2 = reader.uint32() + reader.pos;
                            if (end2 > reader.len)
                                throw RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.uint32();
                                switch (tag2 >>> 3) {
                                case 1:
                                    key = reader.string();
                                    break;
                                case 2:
                                    value = reader.uint64();
                                    break;
                                default:
                                    reader.skipType(tag2 & 7, long);
                                    break;
                                }
                            }
                            if (reader.pos !== end2)
                                throw RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.quotas, key);
                            message.quotas[key] = value;
                            break;
                        }
                    case 9: {
                            message.callsPerSecond = reader.double();
                            break;
                        }
                    case 10: {
                            message.burst = reader.uint32();
                            break;
                        }
                    case 11: {
                            message.priority = reader.int32();
                            break;
                        }
                    case 12: {
                            message.mayPreempt = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return EffectivePolicyRule;
        })();

        v1.GetLogLevelRequest = (function() {

            function GetLogLevelRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetLogLevelRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            GetLogLevelRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetLogLevelRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetLogLevelRequest;
        })();

        v1.GetLogLevelResponse = (function() {

            function GetLogLevelResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetLogLevelResponse.prototype.level = "";

            GetLogLevelResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.level != null && Object.hasOwnProperty.call(message, "level"))
                    writer.uint32(10).string(message.level);
                return writer;
            };

            GetLogLevelResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetLogLevelResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.level = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetLogLevelResponse;
        })();

        v1.SetLogLevelRequest = (function() {

            function SetLogLevelRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SetLogLevelRequest.prototype.level = "";

            SetLogLevelRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.level != null && Object.hasOwnProperty.call(message, "level"))
                    writer.uint32(10).string(message.level);
                return writer;
            };

            SetLogLevelRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SetLogLevelRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.level = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SetLogLevelRequest;
        })();

        v1.SetLogLevelResponse = (function() {

            function SetLogLevelResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SetLogLevelResponse.prototype.previous = "";

            SetLogLevelResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.previous != null && Object.hasOwnProperty.call(message, "previous"))
                    writer.uint32(10).string(message.previous);
                return writer;
            };

            SetLogLevelResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SetLogLevelResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.previous = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SetLogLevelResponse;
        })();

        v1.DrainRequest = (function() {

            function DrainRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DrainRequest.prototype.reason = "";

            DrainRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(10).string(message.reason);
                return writer;
            };

            DrainRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DrainRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DrainRequest;
        })();

        v1.DrainResponse = (function() {

            function DrainResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DrainResponse.prototype.graceMs = 0;

            DrainResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.graceMs != null && Object.hasOwnProperty.call(message, "graceMs"))
                    writer.uint32(8).uint32(message.graceMs);
                return writer;
            };

            DrainResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DrainResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.graceMs = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DrainResponse;
        })();

        v1.Device = (function() {

            function Device(properties) {
                this.groupDevices = [];
                this.streamIds = [];
                this.installedVste = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Device.prototype.name = "";
            Device.prototype.iommu = "";
            Device.prototype.iommuGroup = 0;
            Device.prototype.groupDevices = $util.emptyArray;
            Device.prototype.streamIds = $util.emptyArray;
            Device.prototype.state = 0;
            Device.prototype.generation = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Device.prototype.attached = false;
            Device.prototype.ownerDisplayName = "";
            Device.prototype.owner = "";
            Device.prototype.virtualIommu = "";
            Device.prototype.virtualStreamId = null;
            Device.prototype.installedVste = $util.emptyArray;
            Device.prototype.stageAuthoritative = false;
            Device.prototype.waiters = 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(Device.prototype, "_virtualStreamId", {
                get: $util.oneOfGetter($oneOfFields = ["virtualStreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Device.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.iommu != null && Object.hasOwnProperty.call(message, "iommu"))
                    writer.uint32(18).string(message.iommu);
                if (message.iommuGroup != null && Object.hasOwnProperty.call(message, "iommuGroup"))
                    writer.uint32(24).uint32(message.iommuGroup);
                if (message.groupDevices != null && message.groupDevices.length)
                    for (let i = 0; i < message.groupDevices.length; ++i)
                        writer.uint32(34).string(message.groupDevices[i]);
                if (message.streamIds != null && message.streamIds.length) {
                    writer.uint32(42).fork();
                    for (let i = 0; i < message.streamIds.length; ++i)
                        writer.uint32(message.streamIds[i]);
                    writer.ldelim();
                }
                if (message.state != null && Object.hasOwnProperty.call(message, "state"))
                    writer.uint32(48).int32(message.state);
                if (message.generation != null && Object.hasOwnProperty.call(message, "generation"))
                    writer.uint32(56).uint64(message.generation);
                if (message.attached != null && Object.hasOwnProperty.call(message, "attached"))
                    writer.uint32(64).bool(message.attached);
                if (message.ownerDisplayName != null && Object.hasOwnProperty.call(message, "ownerDisplayName"))
                    writer.uint32(74).string(message.ownerDisplayName);
                if (message.owner != null && Object.hasOwnProperty.call(message, "owner"))
                    writer.uint32(82).string(message.owner);
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(90).string(message.virtualIommu);
                if (message.virtualStreamId != null && Object.hasOwnProperty.call(message, "virtualStreamId"))
                    writer.uint32(96).uint32(message.virtualStreamId);
                if (message.installedVste != null && message.installedVste.length) {
                    writer.uint32(106).fork();
                    for (let i = 0; i < message.installedVste.length; ++i)
                        writer.fixed64(message.installedVste[i]);
                    writer.ldelim();
                }
                if (message.stageAuthoritative != null && Object.hasOwnProperty.call(message, "stageAuthoritative"))
                    writer.uint32(112).bool(message.stageAuthoritative);
                if (message.waiters != null && Object.hasOwnProperty.call(message, "waiters"))
                    writer.uint32(120).uint32(message.waiters);
                return writer;
            };

            Device.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.Device();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.iommu = reader.string();
                            break;
                        }
                    case 3: {
                            message.iommuGroup = reader.uint32();
                            break;
                        }
                    case 4: {
                            if (!(message.groupDevices && message.groupDevices.length))
                                message.groupDevices = [];
                            message.groupDevices.push(reader.string());
                            break;
                        }
                    case 5: {
                            if (!(message.streamIds && message.streamIds.length))
                                message.streamIds = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.streamIds.push(reader.uint32());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.streamIds.push(reader.uint32());
                            break;
                        }
                    case 6: {
                            message.state = reader.int32();
                            break;
                        }
                    case 7: {
                            message.generation = reader.uint64();
                            break;
                        }
                    case 8: {
                            message.attached = reader.bool();
                            break;
                        }
                    case 9: {
                            message.ownerDisplayName = reader.string();
                            break;
                        }
                    case 10: {
                            message.owner = reader.string();
                            break;
                        }
                    case 11: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 12: {
                            message.virtualStreamId = reader.uint32();
                            break;
                        }
                    case 13: {
                            if (!(message.installedVste && message.installedVste.length))
                                message.installedVste = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.installedVste.push(reader.fixed64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.installedVste.push(reader.fixed64());
                            break;
                        }
                    case 14: {
                            message.stageAuthoritative = reader.bool();
                            break;
                        }
                    case 15: {
                            message.waiters = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Device;
        })();

        v1.StageState = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "STAGE_STATE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "STAGE_STATE_DEFAULT_DOMAIN"] = 1;
            values[valuesById[2] = "STAGE_STATE_NEST_PARENT"] = 2;
            values[valuesById[3] = "STAGE_STATE_GUEST_ABORT"] = 3;
            values[valuesById[4] = "STAGE_STATE_GUEST_NESTED"] = 4;
            values[valuesById[5] = "STAGE_STATE_QUARANTINED"] = 5;
            values[valuesById[6] = "STAGE_STATE_LOST"] = 6;
            values[valuesById[7] = "STAGE_STATE_VENDED"] = 7;
            values[valuesById[8] = "STAGE_STATE_RELEASING"] = 8;
            return values;
        })();

        v1.ListDevicesRequest = (function() {

            function ListDevicesRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListDevicesRequest.prototype.pageSize = 0;
            ListDevicesRequest.prototype.pageToken = "";

            ListDevicesRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.pageSize != null && Object.hasOwnProperty.call(message, "pageSize"))
                    writer.uint32(8).uint32(message.pageSize);
                if (message.pageToken != null && Object.hasOwnProperty.call(message, "pageToken"))
                    writer.uint32(18).string(message.pageToken);
                return writer;
            };

            ListDevicesRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListDevicesRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.pageSize = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.pageToken = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListDevicesRequest;
        })();

        v1.ListDevicesResponse = (function() {

            function ListDevicesResponse(properties) {
                this.devices = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListDevicesResponse.prototype.devices = $util.emptyArray;
            ListDevicesResponse.prototype.nextPageToken = "";

            ListDevicesResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        $root.iommubroker.v1.Device.encode(message.devices[i], writer.uint32(10).fork(), q + 1).ldelim();
                if (message.nextPageToken != null && Object.hasOwnProperty.call(message, "nextPageToken"))
                    writer.uint32(18).string(message.nextPageToken);
                return writer;
            };

            ListDevicesResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListDevicesResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push($root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 2: {
                            message.nextPageToken = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListDevicesResponse;
        })();

        v1.GetDeviceRequest = (function() {

            function GetDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetDeviceRequest.prototype.device = "";

            GetDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                return writer;
            };

            GetDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetDeviceRequest;
        })();

        v1.GetDeviceResponse = (function() {

            function GetDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetDeviceResponse.prototype.device = null;

            GetDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            GetDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetDeviceResponse;
        })();

        v1.WatchDevicesRequest = (function() {

            function WatchDevicesRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WatchDevicesRequest.prototype.pageSize = 0;
            WatchDevicesRequest.prototype.resumeAfter = "";
            WatchDevicesRequest.prototype.iommu = "";
            WatchDevicesRequest.prototype.iommuGroup = null;
            WatchDevicesRequest.prototype.ownedByMe = false;
            WatchDevicesRequest.prototype.heartbeatMs = 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(WatchDevicesRequest.prototype, "_iommuGroup", {
                get: $util.oneOfGetter($oneOfFields = ["iommuGroup"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            WatchDevicesRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.pageSize != null && Object.hasOwnProperty.call(message, "pageSize"))
                    writer.uint32(8).uint32(message.pageSize);
                if (message.resumeAfter != null && Object.hasOwnProperty.call(message, "resumeAfter"))
                    writer.uint32(18).string(message.resumeAfter);
                if (message.iommu != null && Object.hasOwnProperty.call(message, "iommu"))
                    writer.uint32(26).string(message.iommu);
                if (message.iommuGroup != null && Object.hasOwnProperty.call(message, "iommuGroup"))
                    writer.uint32(32).uint32(message.iommuGroup);
                if (message.ownedByMe != null && Object.hasOwnProperty.call(message, "ownedByMe"))
                    writer.uint32(40).bool(message.ownedByMe);
                if (message.heartbeatMs != null && Object.hasOwnProperty.call(message, "heartbeatMs"))
                    writer.uint32(48).uint32(message.heartbeatMs);
                return writer;
            };

            WatchDevicesRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WatchDevicesRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.pageSize = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.resumeAfter = reader.string();
                            break;
                        }
                    case 3: {
                            message.iommu = reader.string();
                            break;
                        }
                    case 4: {
                            message.iommuGroup = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.ownedByMe = reader.bool();
                            break;
                        }
                    case 6: {
                            message.heartbeatMs = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WatchDevicesRequest;
        })();

        v1.WatchDevicesResponse = (function() {

            function WatchDevicesResponse(properties) {
                this.changes = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WatchDevicesResponse.prototype.mark = 0;
            WatchDevicesResponse.prototype.changes = $util.emptyArray;
            WatchDevicesResponse.prototype.resourceVersion = "";

            WatchDevicesResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.mark != null && Object.hasOwnProperty.call(message, "mark"))
                    writer.uint32(8).int32(message.mark);
                if (message.changes != null && message.changes.length)
                    for (let i = 0; i < message.changes.length; ++i)
                        $root.iommubroker.v1.DeviceChange.encode(message.changes[i], writer.uint32(18).fork(), q + 1).ldelim();
                if (message.resourceVersion != null && Object.hasOwnProperty.call(message, "resourceVersion"))
                    writer.uint32(26).string(message.resourceVersion);
                return writer;
            };

            WatchDevicesResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WatchDevicesResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.mark = reader.int32();
                            break;
                        }
                    case 2: {
                            if (!(message.changes && message.changes.length))
                                message.changes = [];
                            message.changes.push($root.iommubroker.v1.DeviceChange.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 3: {
                            message.resourceVersion = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WatchDevicesResponse;
        })();

        v1.DeviceWatchMark = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "DEVICE_WATCH_MARK_UNSPECIFIED"] = 0;
            values[valuesById[1] = "DEVICE_WATCH_MARK_SYNCED"] = 1;
            values[valuesById[2] = "DEVICE_WATCH_MARK_RESYNC"] = 2;
            return values;
        })();

        v1.DeviceChange = (function() {

            function DeviceChange(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeviceChange.prototype.kind = 0;
            DeviceChange.prototype.device = null;
            DeviceChange.prototype.resourceVersion = "";

            DeviceChange.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.kind != null && Object.hasOwnProperty.call(message, "kind"))
                    writer.uint32(8).int32(message.kind);
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.resourceVersion != null && Object.hasOwnProperty.call(message, "resourceVersion"))
                    writer.uint32(26).string(message.resourceVersion);
                return writer;
            };

            DeviceChange.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeviceChange();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.kind = reader.int32();
                            break;
                        }
                    case 2: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.resourceVersion = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeviceChange;
        })();

        v1.DeviceChangeKind = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "DEVICE_CHANGE_KIND_UNSPECIFIED"] = 0;
            values[valuesById[1] = "DEVICE_CHANGE_KIND_LISTED"] = 1;
            values[valuesById[2] = "DEVICE_CHANGE_KIND_CHANGED"] = 2;
            values[valuesById[3] = "DEVICE_CHANGE_KIND_LEFT"] = 3;
            values[valuesById[4] = "DEVICE_CHANGE_KIND_REMOVED"] = 4;
            return values;
        })();

        v1.Session = (function() {

            function Session(properties) {
                this.transferableTo = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Session.prototype.name = "";
            Session.prototype.displayName = "";
            Session.prototype.liveness = 0;
            Session.prototype.leaseTtlMs = 0;
            Session.prototype.state = 0;
            Session.prototype.graceMs = 0;
            Session.prototype.transferableTo = $util.emptyArray;
            Session.prototype.openTime = null;
            Session.prototype.lastSeenTime = null;

            Session.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.displayName != null && Object.hasOwnProperty.call(message, "displayName"))
                    writer.uint32(18).string(message.displayName);
                if (message.liveness != null && Object.hasOwnProperty.call(message, "liveness"))
                    writer.uint32(24).int32(message.liveness);
                if (message.leaseTtlMs != null && Object.hasOwnProperty.call(message, "leaseTtlMs"))
                    writer.uint32(32).uint32(message.leaseTtlMs);
                if (message.state != null && Object.hasOwnProperty.call(message, "state"))
                    writer.uint32(40).int32(message.state);
                if (message.graceMs != null && Object.hasOwnProperty.call(message, "graceMs"))
                    writer.uint32(48).uint32(message.graceMs);
                if (message.transferableTo != null && message.transferableTo.length)
                    for (let i = 0; i < message.transferableTo.length; ++i)
                        writer.uint32(58).string(message.transferableTo[i]);
                if (message.openTime != null && Object.hasOwnProperty.call(message, "openTime"))
                    $root.google.protobuf.Timestamp.encode(message.openTime, writer.uint32(66).fork(), q + 1).ldelim();
                if (message.lastSeenTime != null && Object.hasOwnProperty.call(message, "lastSeenTime"))
                    $root.google.protobuf.Timestamp.encode(message.lastSeenTime, writer.uint32(74).fork(), q + 1).ldelim();
                return writer;
            };

            Session.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.Session();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.displayName = reader.string();
                            break;
                        }
                    case 3: {
                            message.liveness = reader.int32();
                            break;
                        }
                    case 4: {
                            message.leaseTtlMs = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.state = reader.int32();
                            break;
                        }
                    case 6: {
                            message.graceMs = reader.uint32();
                            break;
                        }
                    case 7: {
                            if (!(message.transferableTo && message.transferableTo.length))
                                message.transferableTo = [];
                            message.transferableTo.push(reader.string());
                            break;
                        }
                    case 8: {
                            message.openTime = $root.google.protobuf.Timestamp.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 9: {
                            message.lastSeenTime = $root.google.protobuf.Timestamp.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Session;
        })();

        v1.Liveness = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "LIVENESS_UNSPECIFIED"] = 0;
            values[valuesById[1] = "LIVENESS_TTL"] = 1;
            values[valuesById[2] = "LIVENESS_PEER_PROCESS"] = 2;
            return values;
        })();

        v1.SessionState = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "SESSION_STATE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "SESSION_STATE_LIVE"] = 1;
            values[valuesById[2] = "SESSION_STATE_RESTORED"] = 2;
            values[valuesById[3] = "SESSION_STATE_LOST"] = 3;
            return values;
        })();

        v1.OpenSessionRequest = (function() {

            function OpenSessionRequest(properties) {
                this.transferableTo = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            OpenSessionRequest.prototype.displayName = "";
            OpenSessionRequest.prototype.liveness = 0;
            OpenSessionRequest.prototype.leaseTtlMs = 0;
            OpenSessionRequest.prototype.requestId = "";
            OpenSessionRequest.prototype.graceMs = 0;
            OpenSessionRequest.prototype.transferableTo = $util.emptyArray;

            OpenSessionRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.displayName != null && Object.hasOwnProperty.call(message, "displayName"))
                    writer.uint32(10).string(message.displayName);
                if (message.liveness != null && Object.hasOwnProperty.call(message, "liveness"))
                    writer.uint32(16).int32(message.liveness);
                if (message.leaseTtlMs != null && Object.hasOwnProperty.call(message, "leaseTtlMs"))
                    writer.uint32(24).uint32(message.leaseTtlMs);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(34).string(message.requestId);
                if (message.graceMs != null && Object.hasOwnProperty.call(message, "graceMs"))
                    writer.uint32(40).uint32(message.graceMs);
                if (message.transferableTo != null && message.transferableTo.length)
                    for (let i = 0; i < message.transferableTo.length; ++i)
                        writer.uint32(50).string(message.transferableTo[i]);
                return writer;
            };

            OpenSessionRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.OpenSessionRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.displayName = reader.string();
                            break;
                        }
                    case 2: {
                            message.liveness = reader.int32();
                            break;
                        }
                    case 3: {
                            message.leaseTtlMs = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.requestId = reader.string();
                            break;
                        }
                    case 5: {
                            message.graceMs = reader.uint32();
                            break;
                        }
                    case 6: {
                            if (!(message.transferableTo && message.transferableTo.length))
                                message.transferableTo = [];
                            message.transferableTo.push(reader.string());
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return OpenSessionRequest;
        })();

        v1.OpenSessionResponse = (function() {

            function OpenSessionResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            OpenSessionResponse.prototype.session = null;
            OpenSessionResponse.prototype.token = "";

            OpenSessionResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                    $root.iommubroker.v1.Session.encode(message.session, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.token != null && Object.hasOwnProperty.call(message, "token"))
                    writer.uint32(18).string(message.token);
                return writer;
            };

            OpenSessionResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.OpenSessionResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.session = $root.iommubroker.v1.Session.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.token = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return OpenSessionResponse;
        })();

        v1.ResumeSessionRequest = (function() {

            function ResumeSessionRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ResumeSessionRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            ResumeSessionRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ResumeSessionRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ResumeSessionRequest;
        })();

        v1.ResumeSessionResponse = (function() {

            function ResumeSessionResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ResumeSessionResponse.prototype.session = null;
            ResumeSessionResponse.prototype.holdings = null;

            ResumeSessionResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                    $root.iommubroker.v1.Session.encode(message.session, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.holdings != null && Object.hasOwnProperty.call(message, "holdings"))
                    $root.iommubroker.v1.SessionHoldings.encode(message.holdings, writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            ResumeSessionResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ResumeSessionResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.session = $root.iommubroker.v1.Session.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.holdings = $root.iommubroker.v1.SessionHoldings.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ResumeSessionResponse;
        })();

        v1.ClaimSessionRequest = (function() {

            function ClaimSessionRequest(properties) {
                this.transferableTo = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ClaimSessionRequest.prototype.session = "";
            ClaimSessionRequest.prototype.liveness = 0;
            ClaimSessionRequest.prototype.leaseTtlMs = 0;
            ClaimSessionRequest.prototype.requestId = "";
            ClaimSessionRequest.prototype.transferableTo = $util.emptyArray;

            ClaimSessionRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                    writer.uint32(10).string(message.session);
                if (message.liveness != null && Object.hasOwnProperty.call(message, "liveness"))
                    writer.uint32(16).int32(message.liveness);
                if (message.leaseTtlMs != null && Object.hasOwnProperty.call(message, "leaseTtlMs"))
                    writer.uint32(24).uint32(message.leaseTtlMs);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(34).string(message.requestId);
                if (message.transferableTo != null && message.transferableTo.length)
                    for (let i = 0; i < message.transferableTo.length; ++i)
                        writer.uint32(42).string(message.transferableTo[i]);
                return writer;
            };

            ClaimSessionRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ClaimSessionRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.session = reader.string();
                            break;
                        }
                    case 2: {
                            message.liveness = reader.int32();
                            break;
                        }
                    case 3: {
                            message.leaseTtlMs = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.requestId = reader.string();
                            break;
                        }
                    case 5: {
                            if (!(message.transferableTo && message.transferableTo.length))
                                message.transferableTo = [];
                            message.transferableTo.push(reader.string());
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ClaimSessionRequest;
        })();

        v1.ClaimSessionResponse = (function() {

            function ClaimSessionResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ClaimSessionResponse.prototype.session = null;
            ClaimSessionResponse.prototype.token = "";
            ClaimSessionResponse.prototype.holdings = null;

            ClaimSessionResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.session != null && Object.hasOwnProperty.call(message, "session"))
                    $root.iommubroker.v1.Session.encode(message.session, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.token != null && Object.hasOwnProperty.call(message, "token"))
                    writer.uint32(18).string(message.token);
                if (message.holdings != null && Object.hasOwnProperty.call(message, "holdings"))
                    $root.iommubroker.v1.SessionHoldings.encode(message.holdings, writer.uint32(26).fork(), q + 1).ldelim();
                return writer;
            };

            ClaimSessionResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ClaimSessionResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.session = $root.iommubroker.v1.Session.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.token = reader.string();
                            break;
                        }
                    case 3: {
                            message.holdings = $root.iommubroker.v1.SessionHoldings.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ClaimSessionResponse;
        })();

        v1.SessionHoldings = (function() {

            function SessionHoldings(properties) {
                this.addressSpaces = [];
                this.virtualIommus = [];
                this.devices = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SessionHoldings.prototype.addressSpaces = $util.emptyArray;
            SessionHoldings.prototype.virtualIommus = $util.emptyArray;
            SessionHoldings.prototype.devices = $util.emptyArray;

            SessionHoldings.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpaces != null && message.addressSpaces.length)
                    for (let i = 0; i < message.addressSpaces.length; ++i)
                        writer.uint32(10).string(message.addressSpaces[i]);
                if (message.virtualIommus != null && message.virtualIommus.length)
                    for (let i = 0; i < message.virtualIommus.length; ++i)
                        writer.uint32(18).string(message.virtualIommus[i]);
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        $root.iommubroker.v1.HeldDevice.encode(message.devices[i], writer.uint32(26).fork(), q + 1).ldelim();
                return writer;
            };

            SessionHoldings.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SessionHoldings();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.addressSpaces && message.addressSpaces.length))
                                message.addressSpaces = [];
                            message.addressSpaces.push(reader.string());
                            break;
                        }
                    case 2: {
                            if (!(message.virtualIommus && message.virtualIommus.length))
                                message.virtualIommus = [];
                            message.virtualIommus.push(reader.string());
                            break;
                        }
                    case 3: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push($root.iommubroker.v1.HeldDevice.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SessionHoldings;
        })();

        v1.HeldDevice = (function() {

            function HeldDevice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            HeldDevice.prototype.device = "";
            HeldDevice.prototype.virtualIommu = "";
            HeldDevice.prototype.generation = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            HeldDevice.prototype.rebindRequired = false;

            HeldDevice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(18).string(message.virtualIommu);
                if (message.generation != null && Object.hasOwnProperty.call(message, "generation"))
                    writer.uint32(24).uint64(message.generation);
                if (message.rebindRequired != null && Object.hasOwnProperty.call(message, "rebindRequired"))
                    writer.uint32(32).bool(message.rebindRequired);
                return writer;
            };

            HeldDevice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.HeldDevice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 3: {
                            message.generation = reader.uint64();
                            break;
                        }
                    case 4: {
                            message.rebindRequired = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return HeldDevice;
        })();

        v1.KeepSessionAliveRequest = (function() {

            function KeepSessionAliveRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            KeepSessionAliveRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            KeepSessionAliveRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.KeepSessionAliveRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return KeepSessionAliveRequest;
        })();

        v1.KeepSessionAliveResponse = (function() {

            function KeepSessionAliveResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            KeepSessionAliveResponse.prototype.leaseRemainingMs = 0;
            KeepSessionAliveResponse.prototype.notice = null;

            KeepSessionAliveResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.leaseRemainingMs != null && Object.hasOwnProperty.call(message, "leaseRemainingMs"))
                    writer.uint32(8).uint32(message.leaseRemainingMs);
                if (message.notice != null && Object.hasOwnProperty.call(message, "notice"))
                    $root.iommubroker.v1.SessionNotice.encode(message.notice, writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            KeepSessionAliveResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.KeepSessionAliveResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.leaseRemainingMs = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.notice = $root.iommubroker.v1.SessionNotice.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return KeepSessionAliveResponse;
        })();

        v1.SessionNotice = (function() {

            function SessionNotice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SessionNotice.prototype.deviceRemoved = null;
            SessionNotice.prototype.draining = null;
            SessionNotice.prototype.revoked = null;
            SessionNotice.prototype.transferred = null;
            SessionNotice.prototype.preempted = null;

            let $oneOfFields;

            Object.defineProperty(SessionNotice.prototype, "notice", {
                get: $util.oneOfGetter($oneOfFields = ["deviceRemoved", "draining", "revoked", "transferred", "preempted"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            SessionNotice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.deviceRemoved != null && Object.hasOwnProperty.call(message, "deviceRemoved"))
                    $root.iommubroker.v1.DeviceRemovedNotice.encode(message.deviceRemoved, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.draining != null && Object.hasOwnProperty.call(message, "draining"))
                    $root.iommubroker.v1.DrainingNotice.encode(message.draining, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.revoked != null && Object.hasOwnProperty.call(message, "revoked"))
                    $root.iommubroker.v1.RevokedNotice.encode(message.revoked, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.transferred != null && Object.hasOwnProperty.call(message, "transferred"))
                    $root.iommubroker.v1.TransferredNotice.encode(message.transferred, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.preempted != null && Object.hasOwnProperty.call(message, "preempted"))
                    $root.iommubroker.v1.PreemptedNotice.encode(message.preempted, writer.uint32(42).fork(), q + 1).ldelim();
                return writer;
            };

            SessionNotice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SessionNotice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.deviceRemoved = $root.iommubroker.v1.DeviceRemovedNotice.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.draining = $root.iommubroker.v1.DrainingNotice.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.revoked = $root.iommubroker.v1.RevokedNotice.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.transferred = $root.iommubroker.v1.TransferredNotice.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            message.preempted = $root.iommubroker.v1.PreemptedNotice.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SessionNotice;
        })();

        v1.RevokedNotice = (function() {

            function RevokedNotice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RevokedNotice.prototype.reason = "";

            RevokedNotice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(10).string(message.reason);
                return writer;
            };

            RevokedNotice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RevokedNotice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RevokedNotice;
        })();

        v1.TransferredNotice = (function() {

            function TransferredNotice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TransferredNotice.prototype.to = "";

            TransferredNotice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.to != null && Object.hasOwnProperty.call(message, "to"))
                    writer.uint32(10).string(message.to);
                return writer;
            };

            TransferredNotice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TransferredNotice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.to = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TransferredNotice;
        })();

        v1.PreemptedNotice = (function() {

            function PreemptedNotice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            PreemptedNotice.prototype.device = "";
            PreemptedNotice.prototype.deadlineMs = 0;
            PreemptedNotice.prototype.by = "";
            PreemptedNotice.prototype.reason = "";

            PreemptedNotice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.deadlineMs != null && Object.hasOwnProperty.call(message, "deadlineMs"))
                    writer.uint32(16).uint32(message.deadlineMs);
                if (message.by != null && Object.hasOwnProperty.call(message, "by"))
                    writer.uint32(26).string(message.by);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(34).string(message.reason);
                return writer;
            };

            PreemptedNotice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.PreemptedNotice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.deadlineMs = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.by = reader.string();
                            break;
                        }
                    case 4: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return PreemptedNotice;
        })();

        v1.DeviceRemovedNotice = (function() {

            function DeviceRemovedNotice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeviceRemovedNotice.prototype.device = "";

            DeviceRemovedNotice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                return writer;
            };

            DeviceRemovedNotice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeviceRemovedNotice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeviceRemovedNotice;
        })();

        v1.DrainingNotice = (function() {

            function DrainingNotice(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DrainingNotice.prototype.graceMs = 0;

            DrainingNotice.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.graceMs != null && Object.hasOwnProperty.call(message, "graceMs"))
                    writer.uint32(8).uint32(message.graceMs);
                return writer;
            };

            DrainingNotice.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DrainingNotice();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.graceMs = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DrainingNotice;
        })();

        v1.CloseSessionRequest = (function() {

            function CloseSessionRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CloseSessionRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            CloseSessionRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CloseSessionRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CloseSessionRequest;
        })();

        v1.CloseSessionResponse = (function() {

            function CloseSessionResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CloseSessionResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            CloseSessionResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CloseSessionResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CloseSessionResponse;
        })();

        v1.GetCapabilitiesRequest = (function() {

            function GetCapabilitiesRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetCapabilitiesRequest.prototype.iommu = "";
            GetCapabilitiesRequest.prototype.device = "";
            GetCapabilitiesRequest.prototype.wish = null;

            GetCapabilitiesRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.iommu != null && Object.hasOwnProperty.call(message, "iommu"))
                    writer.uint32(10).string(message.iommu);
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(18).string(message.device);
                if (message.wish != null && Object.hasOwnProperty.call(message, "wish"))
                    $root.iommubroker.v1.IdRegisters.encode(message.wish, writer.uint32(26).fork(), q + 1).ldelim();
                return writer;
            };

            GetCapabilitiesRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetCapabilitiesRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.iommu = reader.string();
                            break;
                        }
                    case 2: {
                            message.device = reader.string();
                            break;
                        }
                    case 3: {
                            message.wish = $root.iommubroker.v1.IdRegisters.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetCapabilitiesRequest;
        })();

        v1.GetCapabilitiesResponse = (function() {

            function GetCapabilitiesResponse(properties) {
                this.iommus = [];
                this.findings = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetCapabilitiesResponse.prototype.backend = 0;
            GetCapabilitiesResponse.prototype.iommus = $util.emptyArray;
            GetCapabilitiesResponse.prototype.device = null;
            GetCapabilitiesResponse.prototype.limits = null;
            GetCapabilitiesResponse.prototype.findings = $util.emptyArray;

            GetCapabilitiesResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.backend != null && Object.hasOwnProperty.call(message, "backend"))
                    writer.uint32(8).int32(message.backend);
                if (message.iommus != null && message.iommus.length)
                    for (let i = 0; i < message.iommus.length; ++i)
                        $root.iommubroker.v1.IommuCapabilities.encode(message.iommus[i], writer.uint32(18).fork(), q + 1).ldelim();
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.DeviceCapabilities.encode(message.device, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.limits != null && Object.hasOwnProperty.call(message, "limits"))
                    $root.iommubroker.v1.Limits.encode(message.limits, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.findings != null && message.findings.length)
                    for (let i = 0; i < message.findings.length; ++i)
                        $root.iommubroker.v1.HostFinding.encode(message.findings[i], writer.uint32(42).fork(), q + 1).ldelim();
                return writer;
            };

            GetCapabilitiesResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetCapabilitiesResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.backend = reader.int32();
                            break;
                        }
                    case 2: {
                            if (!(message.iommus && message.iommus.length))
                                message.iommus = [];
                            message.iommus.push($root.iommubroker.v1.IommuCapabilities.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 3: {
                            message.device = $root.iommubroker.v1.DeviceCapabilities.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.limits = $root.iommubroker.v1.Limits.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            if (!(message.findings && message.findings.length))
                                message.findings = [];
                            message.findings.push($root.iommubroker.v1.HostFinding.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetCapabilitiesResponse;
        })();

        v1.HostFinding = (function() {

            function HostFinding(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            HostFinding.prototype.check = "";
            HostFinding.prototype.subject = "";
            HostFinding.prototype.verdict = 0;
            HostFinding.prototype.what = "";
            HostFinding.prototype.why = "";
            HostFinding.prototype.remedy = "";

            HostFinding.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.check != null && Object.hasOwnProperty.call(message, "check"))
                    writer.uint32(10).string(message.check);
                if (message.subject != null && Object.hasOwnProperty.call(message, "subject"))
                    writer.uint32(18).string(message.subject);
                if (message.verdict != null && Object.hasOwnProperty.call(message, "verdict"))
                    writer.uint32(24).int32(message.verdict);
                if (message.what != null && Object.hasOwnProperty.call(message, "what"))
                    writer.uint32(34).string(message.what);
                if (message.why != null && Object.hasOwnProperty.call(message, "why"))
                    writer.uint32(42).string(message.why);
                if (message.remedy != null && Object.hasOwnProperty.call(message, "remedy"))
                    writer.uint32(50).string(message.remedy);
                return writer;
            };

            HostFinding.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.HostFinding();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.check = reader.string();
                            break;
                        }
                    case 2: {
                            message.subject = reader.string();
                            break;
                        }
                    case 3: {
                            message.verdict = reader.int32();
                            break;
                        }
                    case 4: {
                            message.what = reader.string();
                            break;
                        }
                    case 5: {
                            message.why = reader.string();
                            break;
                        }
                    case 6: {
                            message.remedy = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return HostFinding;
        })();

        v1.FindingVerdict = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FINDING_VERDICT_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FINDING_VERDICT_OK"] = 1;
            values[valuesById[2] = "FINDING_VERDICT_WARNING"] = 2;
            values[valuesById[3] = "FINDING_VERDICT_PROBLEM"] = 3;
            return values;
        })();

        v1.BackendKind = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "BACKEND_KIND_UNSPECIFIED"] = 0;
            values[valuesById[1] = "BACKEND_KIND_SIMULATED"] = 1;
            values[valuesById[2] = "BACKEND_KIND_IOMMUFD"] = 2;
            return values;
        })();

        v1.IdRegisters = (function() {

            function IdRegisters(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            IdRegisters.prototype.idr0 = 0;
            IdRegisters.prototype.idr1 = 0;
            IdRegisters.prototype.idr2 = 0;
            IdRegisters.prototype.idr3 = 0;
            IdRegisters.prototype.idr4 = 0;
            IdRegisters.prototype.idr5 = 0;
            IdRegisters.prototype.iidr = 0;
            IdRegisters.prototype.aidr = 0;
            IdRegisters.prototype.idr6 = 0;

            IdRegisters.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.idr0 != null && Object.hasOwnProperty.call(message, "idr0"))
                    writer.uint32(8).uint32(message.idr0);
                if (message.idr1 != null && Object.hasOwnProperty.call(message, "idr1"))
                    writer.uint32(16).uint32(message.idr1);
                if (message.idr2 != null && Object.hasOwnProperty.call(message, "idr2"))
                    writer.uint32(24).uint32(message.idr2);
                if (message.idr3 != null && Object.hasOwnProperty.call(message, "idr3"))
                    writer.uint32(32).uint32(message.idr3);
                if (message.idr4 != null && Object.hasOwnProperty.call(message, "idr4"))
                    writer.uint32(40).uint32(message.idr4);
                if (message.idr5 != null && Object.hasOwnProperty.call(message, "idr5"))
                    writer.uint32(48).uint32(message.idr5);
                if (message.iidr != null && Object.hasOwnProperty.call(message, "iidr"))
                    writer.uint32(56).uint32(message.iidr);
                if (message.aidr != null && Object.hasOwnProperty.call(message, "aidr"))
                    writer.uint32(64).uint32(message.aidr);
                if (message.idr6 != null && Object.hasOwnProperty.call(message, "idr6"))
                    writer.uint32(72).uint32(message.idr6);
                return writer;
            };

            IdRegisters.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.IdRegisters();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.idr0 = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.idr1 = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.idr2 = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.idr3 = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.idr4 = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.idr5 = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.iidr = reader.uint32();
                            break;
                        }
                    case 8: {
                            message.aidr = reader.uint32();
                            break;
                        }
                    case 9: {
                            message.idr6 = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return IdRegisters;
        })();

        v1.IommuCapabilities = (function() {

            function IommuCapabilities(properties) {
                this.fields = [];
                this.reduced = [];
                this.granuleBytes = [];
                this.stage2PageBytes = [];
                this.tableShapes = [];
                this.wish = [];
                this.faultActions = [];
                this.rawRegisters = [];
                this.toldFaults = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            IommuCapabilities.prototype.name = "";
            IommuCapabilities.prototype.registers = null;
            IommuCapabilities.prototype.fields = $util.emptyArray;
            IommuCapabilities.prototype.virtualRegisters = null;
            IommuCapabilities.prototype.reduced = $util.emptyArray;
            IommuCapabilities.prototype.asidBits = 0;
            IommuCapabilities.prototype.substreamIdBits = 0;
            IommuCapabilities.prototype.streamIdBits = 0;
            IommuCapabilities.prototype.iovaBits = 0;
            IommuCapabilities.prototype.ipaBits = 0;
            IommuCapabilities.prototype.outputBits = 0;
            IommuCapabilities.prototype.granuleBytes = $util.emptyArray;
            IommuCapabilities.prototype.stage2PageBytes = $util.emptyArray;
            IommuCapabilities.prototype.nesting = false;
            IommuCapabilities.prototype.nestingReason = "";
            IommuCapabilities.prototype.tableShapes = $util.emptyArray;
            IommuCapabilities.prototype.wish = $util.emptyArray;
            IommuCapabilities.prototype.wishFits = false;
            IommuCapabilities.prototype.faultActions = $util.emptyArray;
            IommuCapabilities.prototype.architecture = 0;
            IommuCapabilities.prototype.unknownReason = "";
            IommuCapabilities.prototype.rawRegisters = $util.emptyArray;
            IommuCapabilities.prototype.toldFaults = $util.emptyArray;

            IommuCapabilities.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.registers != null && Object.hasOwnProperty.call(message, "registers"))
                    $root.iommubroker.v1.IdRegisters.encode(message.registers, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.fields != null && message.fields.length)
                    for (let i = 0; i < message.fields.length; ++i)
                        $root.iommubroker.v1.RegisterField.encode(message.fields[i], writer.uint32(26).fork(), q + 1).ldelim();
                if (message.virtualRegisters != null && Object.hasOwnProperty.call(message, "virtualRegisters"))
                    $root.iommubroker.v1.IdRegisters.encode(message.virtualRegisters, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.reduced != null && message.reduced.length)
                    for (let i = 0; i < message.reduced.length; ++i)
                        $root.iommubroker.v1.ReducedField.encode(message.reduced[i], writer.uint32(42).fork(), q + 1).ldelim();
                if (message.asidBits != null && Object.hasOwnProperty.call(message, "asidBits"))
                    writer.uint32(48).uint32(message.asidBits);
                if (message.substreamIdBits != null && Object.hasOwnProperty.call(message, "substreamIdBits"))
                    writer.uint32(56).uint32(message.substreamIdBits);
                if (message.streamIdBits != null && Object.hasOwnProperty.call(message, "streamIdBits"))
                    writer.uint32(64).uint32(message.streamIdBits);
                if (message.iovaBits != null && Object.hasOwnProperty.call(message, "iovaBits"))
                    writer.uint32(72).uint32(message.iovaBits);
                if (message.ipaBits != null && Object.hasOwnProperty.call(message, "ipaBits"))
                    writer.uint32(80).uint32(message.ipaBits);
                if (message.outputBits != null && Object.hasOwnProperty.call(message, "outputBits"))
                    writer.uint32(88).uint32(message.outputBits);
                if (message.granuleBytes != null && message.granuleBytes.length) {
                    writer.uint32(98).fork();
                    for (let i = 0; i < message.granuleBytes.length; ++i)
                        writer.uint32(message.granuleBytes[i]);
                    writer.ldelim();
                }
                if (message.stage2PageBytes != null && message.stage2PageBytes.length) {
                    writer.uint32(106).fork();
                    for (let i = 0; i < message.stage2PageBytes.length; ++i)
                        writer.uint64(message.stage2PageBytes[i]);
                    writer.ldelim();
                }
                if (message.nesting != null && Object.hasOwnProperty.call(message, "nesting"))
                    writer.uint32(112).bool(message.nesting);
                if (message.nestingReason != null && Object.hasOwnProperty.call(message, "nestingReason"))
                    writer.uint32(122).string(message.nestingReason);
                if (message.tableShapes != null && message.tableShapes.length)
                    for (let i = 0; i < message.tableShapes.length; ++i)
                        $root.iommubroker.v1.TableShapeSupport.encode(message.tableShapes[i], writer.uint32(130).fork(), q + 1).ldelim();
                if (message.wish != null && message.wish.length)
                    for (let i = 0; i < message.wish.length; ++i)
                        $root.iommubroker.v1.FieldVerdict.encode(message.wish[i], writer.uint32(138).fork(), q + 1).ldelim();
                if (message.wishFits != null && Object.hasOwnProperty.call(message, "wishFits"))
                    writer.uint32(144).bool(message.wishFits);
                if (message.faultActions != null && message.faultActions.length) {
                    writer.uint32(154).fork();
                    for (let i = 0; i < message.faultActions.length; ++i)
                        writer.int32(message.faultActions[i]);
                    writer.ldelim();
                }
                if (message.architecture != null && Object.hasOwnProperty.call(message, "architecture"))
                    writer.uint32(160).int32(message.architecture);
                if (message.unknownReason != null && Object.hasOwnProperty.call(message, "unknownReason"))
                    writer.uint32(170).string(message.unknownReason);
                if (message.rawRegisters != null && message.rawRegisters.length)
                    for (let i = 0; i < message.rawRegisters.length; ++i)
                        $root.iommubroker.v1.RawRegister.encode(message.rawRegisters[i], writer.uint32(178).fork(), q + 1).ldelim();
                if (message.toldFaults != null && message.toldFaults.length)
                    for (let i = 0; i < message.toldFaults.length; ++i)
                        $root.iommubroker.v1.FaultKind.encode(message.toldFaults[i], writer.uint32(186).fork(), q + 1).ldelim();
                return writer;
            };

            IommuCapabilities.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.IommuCapabilities();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.registers = $root.iommubroker.v1.IdRegisters.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            if (!(message.fields && message.fields.length))
                                message.fields = [];
                            message.fields.push($root.iommubroker.v1.RegisterField.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 4: {
                            message.virtualRegisters = $root.iommubroker.v1.IdRegisters.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            if (!(message.reduced && message.reduced.length))
                                message.reduced = [];
                            message.reduced.push($root.iommubroker.v1.ReducedField.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 6: {
                            message.asidBits = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.substreamIdBits = reader.uint32();
                            break;
                        }
                    case 8: {
                            message.streamIdBits = reader.uint32();
                            break;
                        }
                    case 9: {
                            message.iovaBits = reader.uint32();
                            break;
                        }
                    case 10: {
                            message.ipaBits = reader.uint32();
                            break;
                        }
                    case 11: {
                            message.outputBits = reader.uint32();
                            break;
                        }
                    case 12: {
                            if (!(message.granuleBytes && message.granuleBytes.length))
                                message.granuleBytes = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.granuleBytes.push(reader.uint32());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.granuleBytes.push(reader.uint32());
                            break;
                        }
                    case 13: {
                            if (!(message.stage2PageBytes && message.stage2PageBytes.length))
                                message.stage2PageBytes = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.stage2PageBytes.push(reader.uint64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.stage2PageBytes.push(reader.uint64());
                            break;
                        }
                    case 14: {
                            message.nesting = reader.bool();
                            break;
                        }
                    case 15: {
                            message.nestingReason = reader.string();
                            break;
                        }
                    case 16: {
                            if (!(message.tableShapes && message.tableShapes.length))
                                message.tableShapes = [];
                            message.tableShapes.push($root.iommubroker.v1.TableShapeSupport.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 17: {
                            if (!(message.wish && message.wish.length))
                                message.wish = [];
                            message.wish.push($root.iommubroker.v1.FieldVerdict.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 18: {
                            message.wishFits = reader.bool();
                            break;
                        }
                    case 19: {
                            if (!(message.faultActions && message.faultActions.length))
                                message.faultActions = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.faultActions.push(reader.int32());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.faultActions.push(reader.int32());
                            break;
                        }
                    case 20: {
                            message.architecture = reader.int32();
                            break;
                        }
                    case 21: {
                            message.unknownReason = reader.string();
                            break;
                        }
                    case 22: {
                            if (!(message.rawRegisters && message.rawRegisters.length))
                                message.rawRegisters = [];
                            message.rawRegisters.push($root.iommubroker.v1.RawRegister.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 23: {
                            if (!(message.toldFaults && message.toldFaults.length))
                                message.toldFaults = [];
                            message.toldFaults.push($root.iommubroker.v1.FaultKind.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return IommuCapabilities;
        })();

        v1.FaultKind = (function() {

            function FaultKind(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            FaultKind.prototype.type = "";
            FaultKind.prototype.stage = 0;
            FaultKind.prototype["class"] = 0;

            FaultKind.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.type != null && Object.hasOwnProperty.call(message, "type"))
                    writer.uint32(10).string(message.type);
                if (message.stage != null && Object.hasOwnProperty.call(message, "stage"))
                    writer.uint32(16).int32(message.stage);
                if (message["class"] != null && Object.hasOwnProperty.call(message, "class"))
                    writer.uint32(24).int32(message["class"]);
                return writer;
            };

            FaultKind.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.FaultKind();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.type = reader.string();
                            break;
                        }
                    case 2: {
                            message.stage = reader.int32();
                            break;
                        }
                    case 3: {
                            message["class"] = reader.int32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return FaultKind;
        })();

        v1.IommuArchitecture = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "IOMMU_ARCHITECTURE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "IOMMU_ARCHITECTURE_ARM_SMMUV3"] = 1;
            values[valuesById[2] = "IOMMU_ARCHITECTURE_INTEL_VTD"] = 2;
            values[valuesById[3] = "IOMMU_ARCHITECTURE_AMD"] = 3;
            values[valuesById[4] = "IOMMU_ARCHITECTURE_UNKNOWN"] = 4;
            return values;
        })();

        v1.RawRegister = (function() {

            function RawRegister(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RawRegister.prototype.register = "";
            RawRegister.prototype.value = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            RawRegister.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.register != null && Object.hasOwnProperty.call(message, "register"))
                    writer.uint32(10).string(message.register);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(16).uint64(message.value);
                return writer;
            };

            RawRegister.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RawRegister();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.register = reader.string();
                            break;
                        }
                    case 2: {
                            message.value = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RawRegister;
        })();

        v1.RegisterField = (function() {

            function RegisterField(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RegisterField.prototype.register = "";
            RegisterField.prototype.field = "";
            RegisterField.prototype.msb = 0;
            RegisterField.prototype.lsb = 0;
            RegisterField.prototype.value = 0;
            RegisterField.prototype.meaning = "";

            RegisterField.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.register != null && Object.hasOwnProperty.call(message, "register"))
                    writer.uint32(10).string(message.register);
                if (message.field != null && Object.hasOwnProperty.call(message, "field"))
                    writer.uint32(18).string(message.field);
                if (message.msb != null && Object.hasOwnProperty.call(message, "msb"))
                    writer.uint32(24).uint32(message.msb);
                if (message.lsb != null && Object.hasOwnProperty.call(message, "lsb"))
                    writer.uint32(32).uint32(message.lsb);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(40).uint32(message.value);
                if (message.meaning != null && Object.hasOwnProperty.call(message, "meaning"))
                    writer.uint32(50).string(message.meaning);
                return writer;
            };

            RegisterField.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RegisterField();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.register = reader.string();
                            break;
                        }
                    case 2: {
                            message.field = reader.string();
                            break;
                        }
                    case 3: {
                            message.msb = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.lsb = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.value = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.meaning = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RegisterField;
        })();

        v1.ReducedField = (function() {

            function ReducedField(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ReducedField.prototype.register = "";
            ReducedField.prototype.field = "";
            ReducedField.prototype.hostValue = 0;
            ReducedField.prototype.virtualValue = 0;
            ReducedField.prototype.reason = "";

            ReducedField.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.register != null && Object.hasOwnProperty.call(message, "register"))
                    writer.uint32(10).string(message.register);
                if (message.field != null && Object.hasOwnProperty.call(message, "field"))
                    writer.uint32(18).string(message.field);
                if (message.hostValue != null && Object.hasOwnProperty.call(message, "hostValue"))
                    writer.uint32(24).uint32(message.hostValue);
                if (message.virtualValue != null && Object.hasOwnProperty.call(message, "virtualValue"))
                    writer.uint32(32).uint32(message.virtualValue);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(42).string(message.reason);
                return writer;
            };

            ReducedField.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ReducedField();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.register = reader.string();
                            break;
                        }
                    case 2: {
                            message.field = reader.string();
                            break;
                        }
                    case 3: {
                            message.hostValue = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.virtualValue = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ReducedField;
        })();

        v1.FieldVerdict = (function() {

            function FieldVerdict(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            FieldVerdict.prototype.register = "";
            FieldVerdict.prototype.field = "";
            FieldVerdict.prototype.hostValue = 0;
            FieldVerdict.prototype.wishedValue = 0;
            FieldVerdict.prototype.ok = false;
            FieldVerdict.prototype.reason = "";

            FieldVerdict.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.register != null && Object.hasOwnProperty.call(message, "register"))
                    writer.uint32(10).string(message.register);
                if (message.field != null && Object.hasOwnProperty.call(message, "field"))
                    writer.uint32(18).string(message.field);
                if (message.hostValue != null && Object.hasOwnProperty.call(message, "hostValue"))
                    writer.uint32(24).uint32(message.hostValue);
                if (message.wishedValue != null && Object.hasOwnProperty.call(message, "wishedValue"))
                    writer.uint32(32).uint32(message.wishedValue);
                if (message.ok != null && Object.hasOwnProperty.call(message, "ok"))
                    writer.uint32(40).bool(message.ok);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(50).string(message.reason);
                return writer;
            };

            FieldVerdict.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.FieldVerdict();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.register = reader.string();
                            break;
                        }
                    case 2: {
                            message.field = reader.string();
                            break;
                        }
                    case 3: {
                            message.hostValue = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.wishedValue = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.ok = reader.bool();
                            break;
                        }
                    case 6: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return FieldVerdict;
        })();

        v1.TableShapeSupport = (function() {

            function TableShapeSupport(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TableShapeSupport.prototype.shape = 0;
            TableShapeSupport.prototype.supported = false;
            TableShapeSupport.prototype.reason = "";
            TableShapeSupport.prototype.unverified = "";

            TableShapeSupport.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.shape != null && Object.hasOwnProperty.call(message, "shape"))
                    writer.uint32(8).int32(message.shape);
                if (message.supported != null && Object.hasOwnProperty.call(message, "supported"))
                    writer.uint32(16).bool(message.supported);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(26).string(message.reason);
                if (message.unverified != null && Object.hasOwnProperty.call(message, "unverified"))
                    writer.uint32(34).string(message.unverified);
                return writer;
            };

            TableShapeSupport.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TableShapeSupport();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.shape = reader.int32();
                            break;
                        }
                    case 2: {
                            message.supported = reader.bool();
                            break;
                        }
                    case 3: {
                            message.reason = reader.string();
                            break;
                        }
                    case 4: {
                            message.unverified = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TableShapeSupport;
        })();

        v1.TableShape = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "TABLE_SHAPE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "TABLE_SHAPE_SMMUV3_STE"] = 1;
            values[valuesById[2] = "TABLE_SHAPE_SINGLE_PAGE_TABLE"] = 2;
            return values;
        })();

        v1.DeviceCapabilities = (function() {

            function DeviceCapabilities(properties) {
                this.streamIds = [];
                this.reservedRegions = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeviceCapabilities.prototype.name = "";
            DeviceCapabilities.prototype.iommu = "";
            DeviceCapabilities.prototype.streamIds = $util.emptyArray;
            DeviceCapabilities.prototype.pasidBits = 0;
            DeviceCapabilities.prototype.ats = false;
            DeviceCapabilities.prototype.apertureFirst = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            DeviceCapabilities.prototype.apertureLast = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            DeviceCapabilities.prototype.reservedRegions = $util.emptyArray;
            DeviceCapabilities.prototype.msiWindow = null;
            DeviceCapabilities.prototype.translate = false;
            DeviceCapabilities.prototype.translateReason = "";
            DeviceCapabilities.prototype.stall = false;
            DeviceCapabilities.prototype.pageRequests = false;

            DeviceCapabilities.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.iommu != null && Object.hasOwnProperty.call(message, "iommu"))
                    writer.uint32(18).string(message.iommu);
                if (message.streamIds != null && message.streamIds.length) {
                    writer.uint32(26).fork();
                    for (let i = 0; i < message.streamIds.length; ++i)
                        writer.uint32(message.streamIds[i]);
                    writer.ldelim();
                }
                if (message.pasidBits != null && Object.hasOwnProperty.call(message, "pasidBits"))
                    writer.uint32(32).uint32(message.pasidBits);
                if (message.ats != null && Object.hasOwnProperty.call(message, "ats"))
                    writer.uint32(40).bool(message.ats);
                if (message.apertureFirst != null && Object.hasOwnProperty.call(message, "apertureFirst"))
                    writer.uint32(48).uint64(message.apertureFirst);
                if (message.apertureLast != null && Object.hasOwnProperty.call(message, "apertureLast"))
                    writer.uint32(56).uint64(message.apertureLast);
                if (message.reservedRegions != null && message.reservedRegions.length)
                    for (let i = 0; i < message.reservedRegions.length; ++i)
                        $root.iommubroker.v1.ReservedRegion.encode(message.reservedRegions[i], writer.uint32(66).fork(), q + 1).ldelim();
                if (message.msiWindow != null && Object.hasOwnProperty.call(message, "msiWindow"))
                    $root.iommubroker.v1.ReservedRegion.encode(message.msiWindow, writer.uint32(74).fork(), q + 1).ldelim();
                if (message.translate != null && Object.hasOwnProperty.call(message, "translate"))
                    writer.uint32(80).bool(message.translate);
                if (message.translateReason != null && Object.hasOwnProperty.call(message, "translateReason"))
                    writer.uint32(90).string(message.translateReason);
                if (message.stall != null && Object.hasOwnProperty.call(message, "stall"))
                    writer.uint32(96).bool(message.stall);
                if (message.pageRequests != null && Object.hasOwnProperty.call(message, "pageRequests"))
                    writer.uint32(104).bool(message.pageRequests);
                return writer;
            };

            DeviceCapabilities.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeviceCapabilities();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.iommu = reader.string();
                            break;
                        }
                    case 3: {
                            if (!(message.streamIds && message.streamIds.length))
                                message.streamIds = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.streamIds.push(reader.uint32());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.streamIds.push(reader.uint32());
                            break;
                        }
                    case 4: {
                            message.pasidBits = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.ats = reader.bool();
                            break;
                        }
                    case 6: {
                            message.apertureFirst = reader.uint64();
                            break;
                        }
                    case 7: {
                            message.apertureLast = reader.uint64();
                            break;
                        }
                    case 8: {
                            if (!(message.reservedRegions && message.reservedRegions.length))
                                message.reservedRegions = [];
                            message.reservedRegions.push($root.iommubroker.v1.ReservedRegion.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 9: {
                            message.msiWindow = $root.iommubroker.v1.ReservedRegion.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 10: {
                            message.translate = reader.bool();
                            break;
                        }
                    case 11: {
                            message.translateReason = reader.string();
                            break;
                        }
                    case 12: {
                            message.stall = reader.bool();
                            break;
                        }
                    case 13: {
                            message.pageRequests = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeviceCapabilities;
        })();

        v1.ReservedRegion = (function() {

            function ReservedRegion(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ReservedRegion.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ReservedRegion.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ReservedRegion.prototype.kind = 0;

            ReservedRegion.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(8).uint64(message.ipa);
                if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                    writer.uint32(16).uint64(message.bytes);
                if (message.kind != null && Object.hasOwnProperty.call(message, "kind"))
                    writer.uint32(24).int32(message.kind);
                return writer;
            };

            ReservedRegion.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ReservedRegion();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.bytes = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.kind = reader.int32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ReservedRegion;
        })();

        v1.ReservedRegionKind = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "RESERVED_REGION_KIND_UNSPECIFIED"] = 0;
            values[valuesById[1] = "RESERVED_REGION_KIND_MSI"] = 1;
            values[valuesById[2] = "RESERVED_REGION_KIND_RESERVED"] = 2;
            return values;
        })();

        v1.Limits = (function() {

            function Limits(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Limits.prototype.sessions = 0;
            Limits.prototype.addressSpacesPerSession = 0;
            Limits.prototype.virtualIommusPerSession = 0;
            Limits.prototype.devicesPerSession = 0;
            Limits.prototype.mappingsPerAddressSpace = 0;
            Limits.prototype.mappingsPerCall = 0;
            Limits.prototype.commandsPerCall = 0;
            Limits.prototype.bindsPerCall = 0;
            Limits.prototype.faultStreamsPerSession = 0;
            Limits.prototype.faultRingEvents = 0;
            Limits.prototype.messageBytes = 0;
            Limits.prototype.sourcesPerCall = 0;
            Limits.prototype.leaseTtlMinMs = 0;
            Limits.prototype.leaseTtlMaxMs = 0;
            Limits.prototype.leaseTtlDefaultMs = 0;
            Limits.prototype.simulatorAccessesPerCall = 0;
            Limits.prototype.simulatorBytesPerCall = 0;
            Limits.prototype.sessionGraceMaxMs = 0;
            Limits.prototype.faultEventsPerSecond = 0;
            Limits.prototype.faultResponseMs = 0;
            Limits.prototype.faultDiagnosesPerSecond = 0;
            Limits.prototype.faultBatchEvents = 0;
            Limits.prototype.invalidationBatchesOutstanding = 0;
            Limits.prototype.invalidationStreamsPerSession = 0;

            Limits.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.sessions != null && Object.hasOwnProperty.call(message, "sessions"))
                    writer.uint32(8).uint32(message.sessions);
                if (message.addressSpacesPerSession != null && Object.hasOwnProperty.call(message, "addressSpacesPerSession"))
                    writer.uint32(16).uint32(message.addressSpacesPerSession);
                if (message.virtualIommusPerSession != null && Object.hasOwnProperty.call(message, "virtualIommusPerSession"))
                    writer.uint32(24).uint32(message.virtualIommusPerSession);
                if (message.devicesPerSession != null && Object.hasOwnProperty.call(message, "devicesPerSession"))
                    writer.uint32(32).uint32(message.devicesPerSession);
                if (message.mappingsPerAddressSpace != null && Object.hasOwnProperty.call(message, "mappingsPerAddressSpace"))
                    writer.uint32(40).uint32(message.mappingsPerAddressSpace);
                if (message.mappingsPerCall != null && Object.hasOwnProperty.call(message, "mappingsPerCall"))
                    writer.uint32(48).uint32(message.mappingsPerCall);
                if (message.commandsPerCall != null && Object.hasOwnProperty.call(message, "commandsPerCall"))
                    writer.uint32(56).uint32(message.commandsPerCall);
                if (message.bindsPerCall != null && Object.hasOwnProperty.call(message, "bindsPerCall"))
                    writer.uint32(64).uint32(message.bindsPerCall);
                if (message.faultStreamsPerSession != null && Object.hasOwnProperty.call(message, "faultStreamsPerSession"))
                    writer.uint32(72).uint32(message.faultStreamsPerSession);
                if (message.faultRingEvents != null && Object.hasOwnProperty.call(message, "faultRingEvents"))
                    writer.uint32(80).uint32(message.faultRingEvents);
                if (message.messageBytes != null && Object.hasOwnProperty.call(message, "messageBytes"))
                    writer.uint32(88).uint32(message.messageBytes);
                if (message.sourcesPerCall != null && Object.hasOwnProperty.call(message, "sourcesPerCall"))
                    writer.uint32(96).uint32(message.sourcesPerCall);
                if (message.leaseTtlMinMs != null && Object.hasOwnProperty.call(message, "leaseTtlMinMs"))
                    writer.uint32(104).uint32(message.leaseTtlMinMs);
                if (message.leaseTtlMaxMs != null && Object.hasOwnProperty.call(message, "leaseTtlMaxMs"))
                    writer.uint32(112).uint32(message.leaseTtlMaxMs);
                if (message.leaseTtlDefaultMs != null && Object.hasOwnProperty.call(message, "leaseTtlDefaultMs"))
                    writer.uint32(120).uint32(message.leaseTtlDefaultMs);
                if (message.simulatorAccessesPerCall != null && Object.hasOwnProperty.call(message, "simulatorAccessesPerCall"))
                    writer.uint32(128).uint32(message.simulatorAccessesPerCall);
                if (message.simulatorBytesPerCall != null && Object.hasOwnProperty.call(message, "simulatorBytesPerCall"))
                    writer.uint32(136).uint32(message.simulatorBytesPerCall);
                if (message.sessionGraceMaxMs != null && Object.hasOwnProperty.call(message, "sessionGraceMaxMs"))
                    writer.uint32(144).uint32(message.sessionGraceMaxMs);
                if (message.faultEventsPerSecond != null && Object.hasOwnProperty.call(message, "faultEventsPerSecond"))
                    writer.uint32(152).uint32(message.faultEventsPerSecond);
                if (message.faultResponseMs != null && Object.hasOwnProperty.call(message, "faultResponseMs"))
                    writer.uint32(160).uint32(message.faultResponseMs);
                if (message.faultDiagnosesPerSecond != null && Object.hasOwnProperty.call(message, "faultDiagnosesPerSecond"))
                    writer.uint32(168).uint32(message.faultDiagnosesPerSecond);
                if (message.faultBatchEvents != null && Object.hasOwnProperty.call(message, "faultBatchEvents"))
                    writer.uint32(176).uint32(message.faultBatchEvents);
                if (message.invalidationBatchesOutstanding != null && Object.hasOwnProperty.call(message, "invalidationBatchesOutstanding"))
                    writer.uint32(184).uint32(message.invalidationBatchesOutstanding);
                if (message.invalidationStreamsPerSession != null && Object.hasOwnProperty.call(message, "invalidationStreamsPerSession"))
                    writer.uint32(192).uint32(message.invalidationStreamsPerSession);
                return writer;
            };

            Limits.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.Limits();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.sessions = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.addressSpacesPerSession = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.virtualIommusPerSession = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.devicesPerSession = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.mappingsPerAddressSpace = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.mappingsPerCall = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.commandsPerCall = reader.uint32();
                            break;
                        }
                    case 8: {
                            message.bindsPerCall = reader.uint32();
                            break;
                        }
                    case 9: {
                            message.faultStreamsPerSession = reader.uint32();
                            break;
                        }
                    case 10: {
                            message.faultRingEvents = reader.uint32();
                            break;
                        }
                    case 11: {
                            message.messageBytes = reader.uint32();
                            break;
                        }
                    case 12: {
                            message.sourcesPerCall = reader.uint32();
                            break;
                        }
                    case 13: {
                            message.leaseTtlMinMs = reader.uint32();
                            break;
                        }
                    case 14: {
                            message.leaseTtlMaxMs = reader.uint32();
                            break;
                        }
                    case 15: {
                            message.leaseTtlDefaultMs = reader.uint32();
                            break;
                        }
                    case 16: {
                            message.simulatorAccessesPerCall = reader.uint32();
                            break;
                        }
                    case 17: {
                            message.simulatorBytesPerCall = reader.uint32();
                            break;
                        }
                    case 18: {
                            message.sessionGraceMaxMs = reader.uint32();
                            break;
                        }
                    case 19: {
                            message.faultEventsPerSecond = reader.uint32();
                            break;
                        }
                    case 20: {
                            message.faultResponseMs = reader.uint32();
                            break;
                        }
                    case 21: {
                            message.faultDiagnosesPerSecond = reader.uint32();
                            break;
                        }
                    case 22: {
                            message.faultBatchEvents = reader.uint32();
                            break;
                        }
                    case 23: {
                            message.invalidationBatchesOutstanding = reader.uint32();
                            break;
                        }
                    case 24: {
                            message.invalidationStreamsPerSession = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Limits;
        })();

        v1.WatchFaultsRequest = (function() {

            function WatchFaultsRequest(properties) {
                this.devices = [];
                this.resumeAfter = {};
                this.types = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WatchFaultsRequest.prototype.devices = $util.emptyArray;
            WatchFaultsRequest.prototype.resumeAfter = $util.emptyObject;
            WatchFaultsRequest.prototype.heartbeatMs = 0;
            WatchFaultsRequest.prototype.types = $util.emptyArray;
            WatchFaultsRequest.prototype.diagnose = false;
            WatchFaultsRequest.prototype.fromStart = false;

            WatchFaultsRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        writer.uint32(10).string(message.devices[i]);
                if (message.resumeAfter != null && Object.hasOwnProperty.call(message, "resumeAfter"))
                    for (let keys = Object.keys(message.resumeAfter), i = 0; i < keys.length; ++i)
                        writer.uint32(18).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.resumeAfter[keys[i]]).ldelim();
                if (message.heartbeatMs != null && Object.hasOwnProperty.call(message, "heartbeatMs"))
                    writer.uint32(24).uint32(message.heartbeatMs);
                if (message.types != null && message.types.length)
                    for (let i = 0; i < message.types.length; ++i)
                        writer.uint32(34).string(message.types[i]);
                if (message.diagnose != null && Object.hasOwnProperty.call(message, "diagnose"))
                    writer.uint32(40).bool(message.diagnose);
                if (message.fromStart != null && Object.hasOwnProperty.call(message, "fromStart"))
                    writer.uint32(48).bool(message.fromStart);
                return writer;
            };

            WatchFaultsRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message, key, value;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WatchFaultsRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push(reader.string());
                            break;
                        }
                    case 2: {
                            if (message.resumeAfter === $util.emptyObject)
                                message.resumeAfter = {};
                            let end2 = reader.uint32() + reader.pos;
                            if (end2 > reader.len)
                                throw RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.uint32();
                                switch (tag2 >>> 3) {
                                case 1:
                                    key = reader.string();
                                    break;
                                case 2:
                                    value = reader.uint64();
                                    break;
                                default:
                                    reader.skipType(tag2 & 7, long);
                                    break;
                                }
                            }
                            if (reader.pos !== end2)
                                throw RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.resumeAfter, key);
                            message.resumeAfter[key] = value;
                            break;
                        }
                    case 3: {
                            message.heartbeatMs = reader.uint32();
                            break;
                        }
                    case 4: {
                            if (!(message.types && message.types.length))
                                message.types = [];
                            message.types.push(reader.string());
                            break;
                        }
                    case 5: {
                            message.diagnose = reader.bool();
                            break;
                        }
                    case 6: {
                            message.fromStart = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WatchFaultsRequest;
        })();

        v1.WatchFaultsResponse = (function() {

            function WatchFaultsResponse(properties) {
                this.events = [];
                this.gaps = [];
                this.resolutions = [];
                this.positions = {};
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WatchFaultsResponse.prototype.events = $util.emptyArray;
            WatchFaultsResponse.prototype.gaps = $util.emptyArray;
            WatchFaultsResponse.prototype.resolutions = $util.emptyArray;
            WatchFaultsResponse.prototype.positions = $util.emptyObject;

            WatchFaultsResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.events != null && message.events.length)
                    for (let i = 0; i < message.events.length; ++i)
                        $root.iommubroker.v1.FaultEvent.encode(message.events[i], writer.uint32(10).fork(), q + 1).ldelim();
                if (message.gaps != null && message.gaps.length)
                    for (let i = 0; i < message.gaps.length; ++i)
                        $root.iommubroker.v1.FaultGap.encode(message.gaps[i], writer.uint32(18).fork(), q + 1).ldelim();
                if (message.resolutions != null && message.resolutions.length)
                    for (let i = 0; i < message.resolutions.length; ++i)
                        $root.iommubroker.v1.FaultResolution.encode(message.resolutions[i], writer.uint32(26).fork(), q + 1).ldelim();
                if (message.positions != null && Object.hasOwnProperty.call(message, "positions"))
                    for (let keys = Object.keys(message.positions), i = 0; i < keys.length; ++i)
                        writer.uint32(34).fork().uint32(10).string(keys[i]).uint32(16).uint64(message.positions[keys[i]]).ldelim();
                return writer;
            };

            WatchFaultsResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message, key, value;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WatchFaultsResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.events && message.events.length))
                                message.events = [];
                            message.events.push($root.iommubroker.v1.FaultEvent.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 2: {
                            if (!(message.gaps && message.gaps.length))
                                message.gaps = [];
                            message.gaps.push($root.iommubroker.v1.FaultGap.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 3: {
                            if (!(message.resolutions && message.resolutions.length))
                                message.resolutions = [];
                            message.resolutions.push($root.iommubroker.v1.FaultResolution.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 4: {
                            if (message.positions === $util.emptyObject)
                                message.positions = {};
                            let end2 = reader.uint32() + reader.pos;
                            if (end2 > reader.len)
                                throw RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = 0;
                            while (reader.pos < end2) {
                                let tag2 = reader.uint32();
                                switch (tag2 >>> 3) {
                                case 1:
                                    key = reader.string();
                                    break;
                                case 2:
                                    value = reader.uint64();
                                    break;
                                default:
                                    reader.skipType(tag2 & 7, long);
                                    break;
                                }
                            }
                            if (reader.pos !== end2)
                                throw RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.positions, key);
                            message.positions[key] = value;
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WatchFaultsResponse;
        })();

        v1.FaultEvent = (function() {

            function FaultEvent(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            FaultEvent.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            FaultEvent.prototype.device = "";
            FaultEvent.prototype.virtualStreamId = null;
            FaultEvent.prototype.substreamId = null;
            FaultEvent.prototype.type = "";
            FaultEvent.prototype.typeNumber = 0;
            FaultEvent.prototype.stage = 0;
            FaultEvent.prototype["class"] = 0;
            FaultEvent.prototype.inputAddress = null;
            FaultEvent.prototype.ipa = null;
            FaultEvent.prototype.fetchAddress = null;
            FaultEvent.prototype.read = null;
            FaultEvent.prototype.instruction = null;
            FaultEvent.prototype.privileged = null;
            FaultEvent.prototype.transition = false;
            FaultEvent.prototype.record = $util.newBuffer([]);
            FaultEvent.prototype.time = null;
            FaultEvent.prototype.hostOnly = false;
            FaultEvent.prototype.pending = null;
            FaultEvent.prototype.pageRequest = null;
            FaultEvent.prototype.diagnosis = null;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_virtualStreamId", {
                get: $util.oneOfGetter($oneOfFields = ["virtualStreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_substreamId", {
                get: $util.oneOfGetter($oneOfFields = ["substreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_inputAddress", {
                get: $util.oneOfGetter($oneOfFields = ["inputAddress"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_ipa", {
                get: $util.oneOfGetter($oneOfFields = ["ipa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_fetchAddress", {
                get: $util.oneOfGetter($oneOfFields = ["fetchAddress"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_read", {
                get: $util.oneOfGetter($oneOfFields = ["read"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_instruction", {
                get: $util.oneOfGetter($oneOfFields = ["instruction"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultEvent.prototype, "_privileged", {
                get: $util.oneOfGetter($oneOfFields = ["privileged"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            FaultEvent.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                    writer.uint32(8).uint64(message.sequence);
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(18).string(message.device);
                if (message.virtualStreamId != null && Object.hasOwnProperty.call(message, "virtualStreamId"))
                    writer.uint32(24).uint32(message.virtualStreamId);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(32).uint32(message.substreamId);
                if (message.type != null && Object.hasOwnProperty.call(message, "type"))
                    writer.uint32(42).string(message.type);
                if (message.typeNumber != null && Object.hasOwnProperty.call(message, "typeNumber"))
                    writer.uint32(48).uint32(message.typeNumber);
                if (message.stage != null && Object.hasOwnProperty.call(message, "stage"))
                    writer.uint32(56).int32(message.stage);
                if (message["class"] != null && Object.hasOwnProperty.call(message, "class"))
                    writer.uint32(64).int32(message["class"]);
                if (message.inputAddress != null && Object.hasOwnProperty.call(message, "inputAddress"))
                    writer.uint32(72).uint64(message.inputAddress);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(80).uint64(message.ipa);
                if (message.fetchAddress != null && Object.hasOwnProperty.call(message, "fetchAddress"))
                    writer.uint32(88).uint64(message.fetchAddress);
                if (message.read != null && Object.hasOwnProperty.call(message, "read"))
                    writer.uint32(96).bool(message.read);
                if (message.instruction != null && Object.hasOwnProperty.call(message, "instruction"))
                    writer.uint32(104).bool(message.instruction);
                if (message.privileged != null && Object.hasOwnProperty.call(message, "privileged"))
                    writer.uint32(112).bool(message.privileged);
                if (message.transition != null && Object.hasOwnProperty.call(message, "transition"))
                    writer.uint32(120).bool(message.transition);
                if (message.record != null && Object.hasOwnProperty.call(message, "record"))
                    writer.uint32(130).bytes(message.record);
                if (message.time != null && Object.hasOwnProperty.call(message, "time"))
                    $root.google.protobuf.Timestamp.encode(message.time, writer.uint32(138).fork(), q + 1).ldelim();
                if (message.hostOnly != null && Object.hasOwnProperty.call(message, "hostOnly"))
                    writer.uint32(144).bool(message.hostOnly);
                if (message.pending != null && Object.hasOwnProperty.call(message, "pending"))
                    $root.iommubroker.v1.PendingFault.encode(message.pending, writer.uint32(154).fork(), q + 1).ldelim();
                if (message.pageRequest != null && Object.hasOwnProperty.call(message, "pageRequest"))
                    $root.iommubroker.v1.PageRequest.encode(message.pageRequest, writer.uint32(162).fork(), q + 1).ldelim();
                if (message.diagnosis != null && Object.hasOwnProperty.call(message, "diagnosis"))
                    $root.iommubroker.v1.FaultDiagnosis.encode(message.diagnosis, writer.uint32(170).fork(), q + 1).ldelim();
                return writer;
            };

            FaultEvent.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.FaultEvent();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.sequence = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.device = reader.string();
                            break;
                        }
                    case 3: {
                            message.virtualStreamId = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.type = reader.string();
                            break;
                        }
                    case 6: {
                            message.typeNumber = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.stage = reader.int32();
                            break;
                        }
                    case 8: {
                            message["class"] = reader.int32();
                            break;
                        }
                    case 9: {
                            message.inputAddress = reader.uint64();
                            break;
                        }
                    case 10: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 11: {
                            message.fetchAddress = reader.uint64();
                            break;
                        }
                    case 12: {
                            message.read = reader.bool();
                            break;
                        }
                    case 13: {
                            message.instruction = reader.bool();
                            break;
                        }
                    case 14: {
                            message.privileged = reader.bool();
                            break;
                        }
                    case 15: {
                            message.transition = reader.bool();
                            break;
                        }
                    case 16: {
                            message.record = reader.bytes();
                            break;
                        }
                    case 17: {
                            message.time = $root.google.protobuf.Timestamp.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 18: {
                            message.hostOnly = reader.bool();
                            break;
                        }
                    case 19: {
                            message.pending = $root.iommubroker.v1.PendingFault.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 20: {
                            message.pageRequest = $root.iommubroker.v1.PageRequest.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 21: {
                            message.diagnosis = $root.iommubroker.v1.FaultDiagnosis.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return FaultEvent;
        })();

        v1.PendingFault = (function() {

            function PendingFault(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            PendingFault.prototype.responseToken = "";
            PendingFault.prototype.deadline = null;
            PendingFault.prototype.stag = null;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(PendingFault.prototype, "_stag", {
                get: $util.oneOfGetter($oneOfFields = ["stag"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            PendingFault.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.responseToken != null && Object.hasOwnProperty.call(message, "responseToken"))
                    writer.uint32(10).string(message.responseToken);
                if (message.deadline != null && Object.hasOwnProperty.call(message, "deadline"))
                    $root.google.protobuf.Timestamp.encode(message.deadline, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.stag != null && Object.hasOwnProperty.call(message, "stag"))
                    writer.uint32(24).uint32(message.stag);
                return writer;
            };

            PendingFault.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.PendingFault();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.responseToken = reader.string();
                            break;
                        }
                    case 2: {
                            message.deadline = $root.google.protobuf.Timestamp.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.stag = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return PendingFault;
        })();

        v1.PageRequest = (function() {

            function PageRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            PageRequest.prototype.address = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            PageRequest.prototype.groupIndex = 0;
            PageRequest.prototype.last = false;
            PageRequest.prototype.read = false;
            PageRequest.prototype.write = false;
            PageRequest.prototype.execute = false;
            PageRequest.prototype.privileged = false;

            PageRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.address != null && Object.hasOwnProperty.call(message, "address"))
                    writer.uint32(8).uint64(message.address);
                if (message.groupIndex != null && Object.hasOwnProperty.call(message, "groupIndex"))
                    writer.uint32(16).uint32(message.groupIndex);
                if (message.last != null && Object.hasOwnProperty.call(message, "last"))
                    writer.uint32(24).bool(message.last);
                if (message.read != null && Object.hasOwnProperty.call(message, "read"))
                    writer.uint32(32).bool(message.read);
                if (message.write != null && Object.hasOwnProperty.call(message, "write"))
                    writer.uint32(40).bool(message.write);
                if (message.execute != null && Object.hasOwnProperty.call(message, "execute"))
                    writer.uint32(48).bool(message.execute);
                if (message.privileged != null && Object.hasOwnProperty.call(message, "privileged"))
                    writer.uint32(56).bool(message.privileged);
                return writer;
            };

            PageRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.PageRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.address = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.groupIndex = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.last = reader.bool();
                            break;
                        }
                    case 4: {
                            message.read = reader.bool();
                            break;
                        }
                    case 5: {
                            message.write = reader.bool();
                            break;
                        }
                    case 6: {
                            message.execute = reader.bool();
                            break;
                        }
                    case 7: {
                            message.privileged = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return PageRequest;
        })();

        v1.FaultResolution = (function() {

            function FaultResolution(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            FaultResolution.prototype.device = "";
            FaultResolution.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            FaultResolution.prototype.outcome = 0;
            FaultResolution.prototype.time = null;

            FaultResolution.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                    writer.uint32(16).uint64(message.sequence);
                if (message.outcome != null && Object.hasOwnProperty.call(message, "outcome"))
                    writer.uint32(24).int32(message.outcome);
                if (message.time != null && Object.hasOwnProperty.call(message, "time"))
                    $root.google.protobuf.Timestamp.encode(message.time, writer.uint32(34).fork(), q + 1).ldelim();
                return writer;
            };

            FaultResolution.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.FaultResolution();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.sequence = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.outcome = reader.int32();
                            break;
                        }
                    case 4: {
                            message.time = $root.google.protobuf.Timestamp.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return FaultResolution;
        })();

        v1.FaultResolutionOutcome = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FAULT_RESOLUTION_OUTCOME_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FAULT_RESOLUTION_OUTCOME_ANSWERED"] = 1;
            values[valuesById[2] = "FAULT_RESOLUTION_OUTCOME_TIMED_OUT"] = 2;
            values[valuesById[3] = "FAULT_RESOLUTION_OUTCOME_OWNER_GONE"] = 3;
            values[valuesById[4] = "FAULT_RESOLUTION_OUTCOME_STAGE_CHANGED"] = 4;
            return values;
        })();

        v1.FaultDiagnosis = (function() {

            function FaultDiagnosis(properties) {
                this.raw = [];
                this.fields = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            FaultDiagnosis.prototype.verdict = 0;
            FaultDiagnosis.prototype.summary = "";
            FaultDiagnosis.prototype.rule = "";
            FaultDiagnosis.prototype.section = "";
            FaultDiagnosis.prototype.structure = "";
            FaultDiagnosis.prototype.level = null;
            FaultDiagnosis.prototype.address = null;
            FaultDiagnosis.prototype.raw = $util.emptyArray;
            FaultDiagnosis.prototype.fields = $util.emptyArray;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultDiagnosis.prototype, "_level", {
                get: $util.oneOfGetter($oneOfFields = ["level"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(FaultDiagnosis.prototype, "_address", {
                get: $util.oneOfGetter($oneOfFields = ["address"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            FaultDiagnosis.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.verdict != null && Object.hasOwnProperty.call(message, "verdict"))
                    writer.uint32(8).int32(message.verdict);
                if (message.summary != null && Object.hasOwnProperty.call(message, "summary"))
                    writer.uint32(18).string(message.summary);
                if (message.rule != null && Object.hasOwnProperty.call(message, "rule"))
                    writer.uint32(26).string(message.rule);
                if (message.section != null && Object.hasOwnProperty.call(message, "section"))
                    writer.uint32(34).string(message.section);
                if (message.structure != null && Object.hasOwnProperty.call(message, "structure"))
                    writer.uint32(42).string(message.structure);
                if (message.level != null && Object.hasOwnProperty.call(message, "level"))
                    writer.uint32(48).int32(message.level);
                if (message.address != null && Object.hasOwnProperty.call(message, "address"))
                    writer.uint32(56).uint64(message.address);
                if (message.raw != null && message.raw.length) {
                    writer.uint32(66).fork();
                    for (let i = 0; i < message.raw.length; ++i)
                        writer.fixed64(message.raw[i]);
                    writer.ldelim();
                }
                if (message.fields != null && message.fields.length)
                    for (let i = 0; i < message.fields.length; ++i)
                        $root.iommubroker.v1.DiagnosedField.encode(message.fields[i], writer.uint32(74).fork(), q + 1).ldelim();
                return writer;
            };

            FaultDiagnosis.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.FaultDiagnosis();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.verdict = reader.int32();
                            break;
                        }
                    case 2: {
                            message.summary = reader.string();
                            break;
                        }
                    case 3: {
                            message.rule = reader.string();
                            break;
                        }
                    case 4: {
                            message.section = reader.string();
                            break;
                        }
                    case 5: {
                            message.structure = reader.string();
                            break;
                        }
                    case 6: {
                            message.level = reader.int32();
                            break;
                        }
                    case 7: {
                            message.address = reader.uint64();
                            break;
                        }
                    case 8: {
                            if (!(message.raw && message.raw.length))
                                message.raw = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.raw.push(reader.fixed64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.raw.push(reader.fixed64());
                            break;
                        }
                    case 9: {
                            if (!(message.fields && message.fields.length))
                                message.fields = [];
                            message.fields.push($root.iommubroker.v1.DiagnosedField.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return FaultDiagnosis;
        })();

        v1.DiagnosedField = (function() {

            function DiagnosedField(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DiagnosedField.prototype.name = "";
            DiagnosedField.prototype.value = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            DiagnosedField.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(16).uint64(message.value);
                return writer;
            };

            DiagnosedField.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DiagnosedField();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.value = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DiagnosedField;
        })();

        v1.FaultDiagnosisVerdict = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FAULT_DIAGNOSIS_VERDICT_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FAULT_DIAGNOSIS_VERDICT_REPRODUCED"] = 1;
            values[valuesById[2] = "FAULT_DIAGNOSIS_VERDICT_NO_LONGER_REPRODUCIBLE"] = 2;
            values[valuesById[3] = "FAULT_DIAGNOSIS_VERDICT_NOT_APPLICABLE"] = 3;
            values[valuesById[4] = "FAULT_DIAGNOSIS_VERDICT_OVER_BUDGET"] = 4;
            return values;
        })();

        v1.FaultStage = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FAULT_STAGE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FAULT_STAGE_1"] = 1;
            values[valuesById[2] = "FAULT_STAGE_2"] = 2;
            return values;
        })();

        v1.FaultClass = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FAULT_CLASS_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FAULT_CLASS_CD"] = 1;
            values[valuesById[2] = "FAULT_CLASS_TTD"] = 2;
            values[valuesById[3] = "FAULT_CLASS_IN"] = 3;
            return values;
        })();

        v1.FaultGap = (function() {

            function FaultGap(properties) {
                this.suppressed = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            FaultGap.prototype.device = "";
            FaultGap.prototype.first = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            FaultGap.prototype.last = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            FaultGap.prototype.reason = 0;
            FaultGap.prototype.count = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            FaultGap.prototype.suppressed = $util.emptyArray;

            FaultGap.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.first != null && Object.hasOwnProperty.call(message, "first"))
                    writer.uint32(16).uint64(message.first);
                if (message.last != null && Object.hasOwnProperty.call(message, "last"))
                    writer.uint32(24).uint64(message.last);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(32).int32(message.reason);
                if (message.count != null && Object.hasOwnProperty.call(message, "count"))
                    writer.uint32(40).uint64(message.count);
                if (message.suppressed != null && message.suppressed.length)
                    for (let i = 0; i < message.suppressed.length; ++i)
                        $root.iommubroker.v1.SuppressedFaults.encode(message.suppressed[i], writer.uint32(50).fork(), q + 1).ldelim();
                return writer;
            };

            FaultGap.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.FaultGap();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.first = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.last = reader.uint64();
                            break;
                        }
                    case 4: {
                            message.reason = reader.int32();
                            break;
                        }
                    case 5: {
                            message.count = reader.uint64();
                            break;
                        }
                    case 6: {
                            if (!(message.suppressed && message.suppressed.length))
                                message.suppressed = [];
                            message.suppressed.push($root.iommubroker.v1.SuppressedFaults.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return FaultGap;
        })();

        v1.SuppressedFaults = (function() {

            function SuppressedFaults(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SuppressedFaults.prototype.type = "";
            SuppressedFaults.prototype.page = null;
            SuppressedFaults.prototype.count = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            SuppressedFaults.prototype.first = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            SuppressedFaults.prototype.last = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(SuppressedFaults.prototype, "_page", {
                get: $util.oneOfGetter($oneOfFields = ["page"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            SuppressedFaults.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.type != null && Object.hasOwnProperty.call(message, "type"))
                    writer.uint32(10).string(message.type);
                if (message.page != null && Object.hasOwnProperty.call(message, "page"))
                    writer.uint32(16).uint64(message.page);
                if (message.count != null && Object.hasOwnProperty.call(message, "count"))
                    writer.uint32(24).uint64(message.count);
                if (message.first != null && Object.hasOwnProperty.call(message, "first"))
                    writer.uint32(32).uint64(message.first);
                if (message.last != null && Object.hasOwnProperty.call(message, "last"))
                    writer.uint32(40).uint64(message.last);
                return writer;
            };

            SuppressedFaults.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SuppressedFaults();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.type = reader.string();
                            break;
                        }
                    case 2: {
                            message.page = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.count = reader.uint64();
                            break;
                        }
                    case 4: {
                            message.first = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.last = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SuppressedFaults;
        })();

        v1.FaultGapReason = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FAULT_GAP_REASON_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FAULT_GAP_REASON_RING_OVERRUN"] = 1;
            values[valuesById[2] = "FAULT_GAP_REASON_HARDWARE_OVERFLOW"] = 2;
            values[valuesById[3] = "FAULT_GAP_REASON_RELEASED"] = 3;
            values[valuesById[4] = "FAULT_GAP_REASON_RATE_LIMIT"] = 4;
            values[valuesById[5] = "FAULT_GAP_REASON_RESTART"] = 5;
            return values;
        })();

        v1.ListFaultsRequest = (function() {

            function ListFaultsRequest(properties) {
                this.devices = [];
                this.types = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListFaultsRequest.prototype.devices = $util.emptyArray;
            ListFaultsRequest.prototype.types = $util.emptyArray;
            ListFaultsRequest.prototype.pageSize = 0;
            ListFaultsRequest.prototype.pageToken = "";
            ListFaultsRequest.prototype.diagnose = false;

            ListFaultsRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        writer.uint32(10).string(message.devices[i]);
                if (message.types != null && message.types.length)
                    for (let i = 0; i < message.types.length; ++i)
                        writer.uint32(18).string(message.types[i]);
                if (message.pageSize != null && Object.hasOwnProperty.call(message, "pageSize"))
                    writer.uint32(24).uint32(message.pageSize);
                if (message.pageToken != null && Object.hasOwnProperty.call(message, "pageToken"))
                    writer.uint32(34).string(message.pageToken);
                if (message.diagnose != null && Object.hasOwnProperty.call(message, "diagnose"))
                    writer.uint32(40).bool(message.diagnose);
                return writer;
            };

            ListFaultsRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListFaultsRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push(reader.string());
                            break;
                        }
                    case 2: {
                            if (!(message.types && message.types.length))
                                message.types = [];
                            message.types.push(reader.string());
                            break;
                        }
                    case 3: {
                            message.pageSize = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.pageToken = reader.string();
                            break;
                        }
                    case 5: {
                            message.diagnose = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListFaultsRequest;
        })();

        v1.ListFaultsResponse = (function() {

            function ListFaultsResponse(properties) {
                this.events = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListFaultsResponse.prototype.events = $util.emptyArray;
            ListFaultsResponse.prototype.nextPageToken = "";

            ListFaultsResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.events != null && message.events.length)
                    for (let i = 0; i < message.events.length; ++i)
                        $root.iommubroker.v1.FaultEvent.encode(message.events[i], writer.uint32(10).fork(), q + 1).ldelim();
                if (message.nextPageToken != null && Object.hasOwnProperty.call(message, "nextPageToken"))
                    writer.uint32(18).string(message.nextPageToken);
                return writer;
            };

            ListFaultsResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListFaultsResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.events && message.events.length))
                                message.events = [];
                            message.events.push($root.iommubroker.v1.FaultEvent.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 2: {
                            message.nextPageToken = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListFaultsResponse;
        })();

        v1.RespondToFaultRequest = (function() {

            function RespondToFaultRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RespondToFaultRequest.prototype.requestId = "";
            RespondToFaultRequest.prototype.responseToken = "";
            RespondToFaultRequest.prototype.action = 0;

            RespondToFaultRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(10).string(message.requestId);
                if (message.responseToken != null && Object.hasOwnProperty.call(message, "responseToken"))
                    writer.uint32(18).string(message.responseToken);
                if (message.action != null && Object.hasOwnProperty.call(message, "action"))
                    writer.uint32(24).int32(message.action);
                return writer;
            };

            RespondToFaultRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RespondToFaultRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.requestId = reader.string();
                            break;
                        }
                    case 2: {
                            message.responseToken = reader.string();
                            break;
                        }
                    case 3: {
                            message.action = reader.int32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RespondToFaultRequest;
        })();

        v1.RespondToFaultResponse = (function() {

            function RespondToFaultResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RespondToFaultResponse.prototype.device = "";
            RespondToFaultResponse.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            RespondToFaultResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                    writer.uint32(16).uint64(message.sequence);
                return writer;
            };

            RespondToFaultResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RespondToFaultResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.sequence = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RespondToFaultResponse;
        })();

        v1.FaultAction = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "FAULT_ACTION_UNSPECIFIED"] = 0;
            values[valuesById[1] = "FAULT_ACTION_RETRY"] = 1;
            values[valuesById[2] = "FAULT_ACTION_ABORT"] = 2;
            values[valuesById[3] = "FAULT_ACTION_TERMINATE"] = 3;
            values[valuesById[4] = "FAULT_ACTION_SUCCESS"] = 4;
            values[valuesById[5] = "FAULT_ACTION_INVALID"] = 5;
            values[valuesById[6] = "FAULT_ACTION_FAILURE"] = 6;
            return values;
        })();

        v1.DescriptorTicket = (function() {

            function DescriptorTicket(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DescriptorTicket.prototype.ticket = "";
            DescriptorTicket.prototype.expiresMs = 0;

            DescriptorTicket.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ticket != null && Object.hasOwnProperty.call(message, "ticket"))
                    writer.uint32(10).string(message.ticket);
                if (message.expiresMs != null && Object.hasOwnProperty.call(message, "expiresMs"))
                    writer.uint32(16).uint32(message.expiresMs);
                return writer;
            };

            DescriptorTicket.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DescriptorTicket();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ticket = reader.string();
                            break;
                        }
                    case 2: {
                            message.expiresMs = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DescriptorTicket;
        })();

        v1.GetDeviceDescriptorRequest = (function() {

            function GetDeviceDescriptorRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetDeviceDescriptorRequest.prototype.device = "";
            GetDeviceDescriptorRequest.prototype.expectedGeneration = null;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(GetDeviceDescriptorRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            GetDeviceDescriptorRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(16).uint64(message.expectedGeneration);
                return writer;
            };

            GetDeviceDescriptorRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetDeviceDescriptorRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetDeviceDescriptorRequest;
        })();

        v1.GetDeviceDescriptorResponse = (function() {

            function GetDeviceDescriptorResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            GetDeviceDescriptorResponse.prototype.ticket = null;
            GetDeviceDescriptorResponse.prototype.device = null;

            GetDeviceDescriptorResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ticket != null && Object.hasOwnProperty.call(message, "ticket"))
                    $root.iommubroker.v1.DescriptorTicket.encode(message.ticket, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            GetDeviceDescriptorResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.GetDeviceDescriptorResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ticket = $root.iommubroker.v1.DescriptorTicket.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return GetDeviceDescriptorResponse;
        })();

        v1.VendDeviceRequest = (function() {

            function VendDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            VendDeviceRequest.prototype.device = "";
            VendDeviceRequest.prototype.expectedGeneration = null;
            VendDeviceRequest.prototype.bound = false;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(VendDeviceRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            VendDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(16).uint64(message.expectedGeneration);
                if (message.bound != null && Object.hasOwnProperty.call(message, "bound"))
                    writer.uint32(24).bool(message.bound);
                return writer;
            };

            VendDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.VendDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.bound = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return VendDeviceRequest;
        })();

        v1.VendDeviceResponse = (function() {

            function VendDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            VendDeviceResponse.prototype.ticket = null;
            VendDeviceResponse.prototype.device = null;
            VendDeviceResponse.prototype.iommufdDevice = 0;

            VendDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ticket != null && Object.hasOwnProperty.call(message, "ticket"))
                    $root.iommubroker.v1.DescriptorTicket.encode(message.ticket, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.iommufdDevice != null && Object.hasOwnProperty.call(message, "iommufdDevice"))
                    writer.uint32(24).uint32(message.iommufdDevice);
                return writer;
            };

            VendDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.VendDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ticket = $root.iommubroker.v1.DescriptorTicket.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.iommufdDevice = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return VendDeviceResponse;
        })();

        v1.ExplainTranslationRequest = (function() {

            function ExplainTranslationRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainTranslationRequest.prototype.device = "";
            ExplainTranslationRequest.prototype.iova = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ExplainTranslationRequest.prototype.substreamId = null;
            ExplainTranslationRequest.prototype.access = 0;
            ExplainTranslationRequest.prototype.privileged = false;
            ExplainTranslationRequest.prototype.streamIndex = 0;
            ExplainTranslationRequest.prototype.includeHostAddresses = false;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainTranslationRequest.prototype, "_substreamId", {
                get: $util.oneOfGetter($oneOfFields = ["substreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ExplainTranslationRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.iova != null && Object.hasOwnProperty.call(message, "iova"))
                    writer.uint32(16).uint64(message.iova);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(24).uint32(message.substreamId);
                if (message.access != null && Object.hasOwnProperty.call(message, "access"))
                    writer.uint32(32).int32(message.access);
                if (message.privileged != null && Object.hasOwnProperty.call(message, "privileged"))
                    writer.uint32(40).bool(message.privileged);
                if (message.streamIndex != null && Object.hasOwnProperty.call(message, "streamIndex"))
                    writer.uint32(48).uint32(message.streamIndex);
                if (message.includeHostAddresses != null && Object.hasOwnProperty.call(message, "includeHostAddresses"))
                    writer.uint32(56).bool(message.includeHostAddresses);
                return writer;
            };

            ExplainTranslationRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainTranslationRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.iova = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.access = reader.int32();
                            break;
                        }
                    case 5: {
                            message.privileged = reader.bool();
                            break;
                        }
                    case 6: {
                            message.streamIndex = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.includeHostAddresses = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainTranslationRequest;
        })();

        v1.ExplainTranslationResponse = (function() {

            function ExplainTranslationResponse(properties) {
                this.steps = [];
                this.writes = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainTranslationResponse.prototype.device = "";
            ExplainTranslationResponse.prototype.virtualStreamId = null;
            ExplainTranslationResponse.prototype.steps = $util.emptyArray;
            ExplainTranslationResponse.prototype.end = null;
            ExplainTranslationResponse.prototype.writes = $util.emptyArray;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainTranslationResponse.prototype, "_virtualStreamId", {
                get: $util.oneOfGetter($oneOfFields = ["virtualStreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ExplainTranslationResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.virtualStreamId != null && Object.hasOwnProperty.call(message, "virtualStreamId"))
                    writer.uint32(16).uint32(message.virtualStreamId);
                if (message.steps != null && message.steps.length)
                    for (let i = 0; i < message.steps.length; ++i)
                        $root.iommubroker.v1.ExplainedStep.encode(message.steps[i], writer.uint32(26).fork(), q + 1).ldelim();
                if (message.end != null && Object.hasOwnProperty.call(message, "end"))
                    $root.iommubroker.v1.ExplainedEnd.encode(message.end, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.writes != null && message.writes.length)
                    for (let i = 0; i < message.writes.length; ++i)
                        $root.iommubroker.v1.ExplainedWrite.encode(message.writes[i], writer.uint32(42).fork(), q + 1).ldelim();
                return writer;
            };

            ExplainTranslationResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainTranslationResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.virtualStreamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            if (!(message.steps && message.steps.length))
                                message.steps = [];
                            message.steps.push($root.iommubroker.v1.ExplainedStep.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 4: {
                            message.end = $root.iommubroker.v1.ExplainedEnd.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            if (!(message.writes && message.writes.length))
                                message.writes = [];
                            message.writes.push($root.iommubroker.v1.ExplainedWrite.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainTranslationResponse;
        })();

        v1.ExplainedStep = (function() {

            function ExplainedStep(properties) {
                this.raw = [];
                this.fields = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainedStep.prototype.structure = "";
            ExplainedStep.prototype.ipa = null;
            ExplainedStep.prototype.pa = null;
            ExplainedStep.prototype.raw = $util.emptyArray;
            ExplainedStep.prototype.fields = $util.emptyArray;
            ExplainedStep.prototype.decision = "";
            ExplainedStep.prototype.section = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedStep.prototype, "_ipa", {
                get: $util.oneOfGetter($oneOfFields = ["ipa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedStep.prototype, "_pa", {
                get: $util.oneOfGetter($oneOfFields = ["pa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ExplainedStep.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.structure != null && Object.hasOwnProperty.call(message, "structure"))
                    writer.uint32(10).string(message.structure);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(16).uint64(message.ipa);
                if (message.pa != null && Object.hasOwnProperty.call(message, "pa"))
                    writer.uint32(24).uint64(message.pa);
                if (message.raw != null && message.raw.length) {
                    writer.uint32(34).fork();
                    for (let i = 0; i < message.raw.length; ++i)
                        writer.fixed64(message.raw[i]);
                    writer.ldelim();
                }
                if (message.fields != null && message.fields.length)
                    for (let i = 0; i < message.fields.length; ++i)
                        $root.iommubroker.v1.ExplainedField.encode(message.fields[i], writer.uint32(42).fork(), q + 1).ldelim();
                if (message.decision != null && Object.hasOwnProperty.call(message, "decision"))
                    writer.uint32(50).string(message.decision);
                if (message.section != null && Object.hasOwnProperty.call(message, "section"))
                    writer.uint32(58).string(message.section);
                return writer;
            };

            ExplainedStep.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainedStep();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.structure = reader.string();
                            break;
                        }
                    case 2: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.pa = reader.uint64();
                            break;
                        }
                    case 4: {
                            if (!(message.raw && message.raw.length))
                                message.raw = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.raw.push(reader.fixed64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.raw.push(reader.fixed64());
                            break;
                        }
                    case 5: {
                            if (!(message.fields && message.fields.length))
                                message.fields = [];
                            message.fields.push($root.iommubroker.v1.ExplainedField.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 6: {
                            message.decision = reader.string();
                            break;
                        }
                    case 7: {
                            message.section = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainedStep;
        })();

        v1.ExplainedField = (function() {

            function ExplainedField(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainedField.prototype.name = "";
            ExplainedField.prototype.value = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            ExplainedField.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(16).uint64(message.value);
                return writer;
            };

            ExplainedField.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainedField();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.value = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainedField;
        })();

        v1.ExplainedEnd = (function() {

            function ExplainedEnd(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainedEnd.prototype.outcome = 0;
            ExplainedEnd.prototype.bypass = false;
            ExplainedEnd.prototype.ipa = null;
            ExplainedEnd.prototype.pa = null;
            ExplainedEnd.prototype.pageBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ExplainedEnd.prototype.fault = null;
            ExplainedEnd.prototype.recorded = false;
            ExplainedEnd.prototype.notCovered = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedEnd.prototype, "_ipa", {
                get: $util.oneOfGetter($oneOfFields = ["ipa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedEnd.prototype, "_pa", {
                get: $util.oneOfGetter($oneOfFields = ["pa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ExplainedEnd.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.outcome != null && Object.hasOwnProperty.call(message, "outcome"))
                    writer.uint32(8).int32(message.outcome);
                if (message.bypass != null && Object.hasOwnProperty.call(message, "bypass"))
                    writer.uint32(16).bool(message.bypass);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(24).uint64(message.ipa);
                if (message.pa != null && Object.hasOwnProperty.call(message, "pa"))
                    writer.uint32(32).uint64(message.pa);
                if (message.pageBytes != null && Object.hasOwnProperty.call(message, "pageBytes"))
                    writer.uint32(40).uint64(message.pageBytes);
                if (message.fault != null && Object.hasOwnProperty.call(message, "fault"))
                    $root.iommubroker.v1.ExplainedFault.encode(message.fault, writer.uint32(50).fork(), q + 1).ldelim();
                if (message.recorded != null && Object.hasOwnProperty.call(message, "recorded"))
                    writer.uint32(56).bool(message.recorded);
                if (message.notCovered != null && Object.hasOwnProperty.call(message, "notCovered"))
                    writer.uint32(66).string(message.notCovered);
                return writer;
            };

            ExplainedEnd.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainedEnd();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.outcome = reader.int32();
                            break;
                        }
                    case 2: {
                            message.bypass = reader.bool();
                            break;
                        }
                    case 3: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 4: {
                            message.pa = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.pageBytes = reader.uint64();
                            break;
                        }
                    case 6: {
                            message.fault = $root.iommubroker.v1.ExplainedFault.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 7: {
                            message.recorded = reader.bool();
                            break;
                        }
                    case 8: {
                            message.notCovered = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainedEnd;
        })();

        v1.ExplainedFault = (function() {

            function ExplainedFault(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainedFault.prototype.type = "";
            ExplainedFault.prototype.typeNumber = 0;
            ExplainedFault.prototype.stage = 0;
            ExplainedFault.prototype["class"] = 0;
            ExplainedFault.prototype.inputAddress = null;
            ExplainedFault.prototype.ipa = null;
            ExplainedFault.prototype.fetchAddress = null;
            ExplainedFault.prototype.read = null;
            ExplainedFault.prototype.instruction = null;
            ExplainedFault.prototype.privileged = null;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedFault.prototype, "_inputAddress", {
                get: $util.oneOfGetter($oneOfFields = ["inputAddress"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedFault.prototype, "_ipa", {
                get: $util.oneOfGetter($oneOfFields = ["ipa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedFault.prototype, "_fetchAddress", {
                get: $util.oneOfGetter($oneOfFields = ["fetchAddress"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedFault.prototype, "_read", {
                get: $util.oneOfGetter($oneOfFields = ["read"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedFault.prototype, "_instruction", {
                get: $util.oneOfGetter($oneOfFields = ["instruction"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedFault.prototype, "_privileged", {
                get: $util.oneOfGetter($oneOfFields = ["privileged"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ExplainedFault.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.type != null && Object.hasOwnProperty.call(message, "type"))
                    writer.uint32(10).string(message.type);
                if (message.typeNumber != null && Object.hasOwnProperty.call(message, "typeNumber"))
                    writer.uint32(16).uint32(message.typeNumber);
                if (message.stage != null && Object.hasOwnProperty.call(message, "stage"))
                    writer.uint32(24).int32(message.stage);
                if (message["class"] != null && Object.hasOwnProperty.call(message, "class"))
                    writer.uint32(32).int32(message["class"]);
                if (message.inputAddress != null && Object.hasOwnProperty.call(message, "inputAddress"))
                    writer.uint32(40).uint64(message.inputAddress);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(48).uint64(message.ipa);
                if (message.fetchAddress != null && Object.hasOwnProperty.call(message, "fetchAddress"))
                    writer.uint32(56).uint64(message.fetchAddress);
                if (message.read != null && Object.hasOwnProperty.call(message, "read"))
                    writer.uint32(64).bool(message.read);
                if (message.instruction != null && Object.hasOwnProperty.call(message, "instruction"))
                    writer.uint32(72).bool(message.instruction);
                if (message.privileged != null && Object.hasOwnProperty.call(message, "privileged"))
                    writer.uint32(80).bool(message.privileged);
                return writer;
            };

            ExplainedFault.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainedFault();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.type = reader.string();
                            break;
                        }
                    case 2: {
                            message.typeNumber = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.stage = reader.int32();
                            break;
                        }
                    case 4: {
                            message["class"] = reader.int32();
                            break;
                        }
                    case 5: {
                            message.inputAddress = reader.uint64();
                            break;
                        }
                    case 6: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 7: {
                            message.fetchAddress = reader.uint64();
                            break;
                        }
                    case 8: {
                            message.read = reader.bool();
                            break;
                        }
                    case 9: {
                            message.instruction = reader.bool();
                            break;
                        }
                    case 10: {
                            message.privileged = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainedFault;
        })();

        v1.ExplainedWrite = (function() {

            function ExplainedWrite(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ExplainedWrite.prototype.ipa = null;
            ExplainedWrite.prototype.pa = null;
            ExplainedWrite.prototype.value = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedWrite.prototype, "_ipa", {
                get: $util.oneOfGetter($oneOfFields = ["ipa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ExplainedWrite.prototype, "_pa", {
                get: $util.oneOfGetter($oneOfFields = ["pa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ExplainedWrite.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(8).uint64(message.ipa);
                if (message.pa != null && Object.hasOwnProperty.call(message, "pa"))
                    writer.uint32(16).uint64(message.pa);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(25).fixed64(message.value);
                return writer;
            };

            ExplainedWrite.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ExplainedWrite();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.pa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.value = reader.fixed64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ExplainedWrite;
        })();

        v1.AddDeviceRequest = (function() {

            function AddDeviceRequest(properties) {
                this.streamIds = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AddDeviceRequest.prototype.deviceId = "";
            AddDeviceRequest.prototype.iommu = "";
            AddDeviceRequest.prototype.iommuGroup = 0;
            AddDeviceRequest.prototype.streamIds = $util.emptyArray;
            AddDeviceRequest.prototype.pasidBits = 0;
            AddDeviceRequest.prototype.stall = false;

            AddDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.deviceId != null && Object.hasOwnProperty.call(message, "deviceId"))
                    writer.uint32(10).string(message.deviceId);
                if (message.iommu != null && Object.hasOwnProperty.call(message, "iommu"))
                    writer.uint32(18).string(message.iommu);
                if (message.iommuGroup != null && Object.hasOwnProperty.call(message, "iommuGroup"))
                    writer.uint32(24).uint32(message.iommuGroup);
                if (message.streamIds != null && message.streamIds.length) {
                    writer.uint32(34).fork();
                    for (let i = 0; i < message.streamIds.length; ++i)
                        writer.uint32(message.streamIds[i]);
                    writer.ldelim();
                }
                if (message.pasidBits != null && Object.hasOwnProperty.call(message, "pasidBits"))
                    writer.uint32(40).uint32(message.pasidBits);
                if (message.stall != null && Object.hasOwnProperty.call(message, "stall"))
                    writer.uint32(48).bool(message.stall);
                return writer;
            };

            AddDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AddDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.deviceId = reader.string();
                            break;
                        }
                    case 2: {
                            message.iommu = reader.string();
                            break;
                        }
                    case 3: {
                            message.iommuGroup = reader.uint32();
                            break;
                        }
                    case 4: {
                            if (!(message.streamIds && message.streamIds.length))
                                message.streamIds = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.streamIds.push(reader.uint32());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.streamIds.push(reader.uint32());
                            break;
                        }
                    case 5: {
                            message.pasidBits = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.stall = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AddDeviceRequest;
        })();

        v1.AddDeviceResponse = (function() {

            function AddDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AddDeviceResponse.prototype.device = "";

            AddDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                return writer;
            };

            AddDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AddDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AddDeviceResponse;
        })();

        v1.RemoveDeviceRequest = (function() {

            function RemoveDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RemoveDeviceRequest.prototype.device = "";

            RemoveDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                return writer;
            };

            RemoveDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RemoveDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RemoveDeviceRequest;
        })();

        v1.RemoveDeviceResponse = (function() {

            function RemoveDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RemoveDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            RemoveDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RemoveDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RemoveDeviceResponse;
        })();

        v1.DmaRequest = (function() {

            function DmaRequest(properties) {
                this.accesses = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DmaRequest.prototype.device = "";
            DmaRequest.prototype.accesses = $util.emptyArray;

            DmaRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.accesses != null && message.accesses.length)
                    for (let i = 0; i < message.accesses.length; ++i)
                        $root.iommubroker.v1.DmaAccess.encode(message.accesses[i], writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            DmaRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DmaRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            if (!(message.accesses && message.accesses.length))
                                message.accesses = [];
                            message.accesses.push($root.iommubroker.v1.DmaAccess.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DmaRequest;
        })();

        v1.DmaAccess = (function() {

            function DmaAccess(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DmaAccess.prototype.iova = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            DmaAccess.prototype.substreamId = null;
            DmaAccess.prototype.privileged = false;
            DmaAccess.prototype.readBytes = null;
            DmaAccess.prototype.write = null;
            DmaAccess.prototype.streamIndex = 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(DmaAccess.prototype, "_substreamId", {
                get: $util.oneOfGetter($oneOfFields = ["substreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Object.defineProperty(DmaAccess.prototype, "data", {
                get: $util.oneOfGetter($oneOfFields = ["readBytes", "write"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            DmaAccess.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.iova != null && Object.hasOwnProperty.call(message, "iova"))
                    writer.uint32(8).uint64(message.iova);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(16).uint32(message.substreamId);
                if (message.privileged != null && Object.hasOwnProperty.call(message, "privileged"))
                    writer.uint32(24).bool(message.privileged);
                if (message.readBytes != null && Object.hasOwnProperty.call(message, "readBytes"))
                    writer.uint32(32).uint32(message.readBytes);
                if (message.write != null && Object.hasOwnProperty.call(message, "write"))
                    writer.uint32(42).bytes(message.write);
                if (message.streamIndex != null && Object.hasOwnProperty.call(message, "streamIndex"))
                    writer.uint32(48).uint32(message.streamIndex);
                return writer;
            };

            DmaAccess.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DmaAccess();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.iova = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.privileged = reader.bool();
                            break;
                        }
                    case 4: {
                            message.readBytes = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.write = reader.bytes();
                            break;
                        }
                    case 6: {
                            message.streamIndex = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DmaAccess;
        })();

        v1.DmaResponse = (function() {

            function DmaResponse(properties) {
                this.results = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DmaResponse.prototype.results = $util.emptyArray;

            DmaResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.results != null && message.results.length)
                    for (let i = 0; i < message.results.length; ++i)
                        $root.iommubroker.v1.DmaResult.encode(message.results[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            DmaResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DmaResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.results && message.results.length))
                                message.results = [];
                            message.results.push($root.iommubroker.v1.DmaResult.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DmaResponse;
        })();

        v1.DmaResult = (function() {

            function DmaResult(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DmaResult.prototype.outcome = 0;
            DmaResult.prototype.bytesDone = 0;
            DmaResult.prototype.data = $util.newBuffer([]);

            DmaResult.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.outcome != null && Object.hasOwnProperty.call(message, "outcome"))
                    writer.uint32(8).int32(message.outcome);
                if (message.bytesDone != null && Object.hasOwnProperty.call(message, "bytesDone"))
                    writer.uint32(16).uint32(message.bytesDone);
                if (message.data != null && Object.hasOwnProperty.call(message, "data"))
                    writer.uint32(26).bytes(message.data);
                return writer;
            };

            DmaResult.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DmaResult();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.outcome = reader.int32();
                            break;
                        }
                    case 2: {
                            message.bytesDone = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.data = reader.bytes();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DmaResult;
        })();

        v1.TransactionOutcome = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "TRANSACTION_OUTCOME_UNSPECIFIED"] = 0;
            values[valuesById[1] = "TRANSACTION_OUTCOME_OK"] = 1;
            values[valuesById[2] = "TRANSACTION_OUTCOME_ABORT"] = 2;
            values[valuesById[3] = "TRANSACTION_OUTCOME_RAZ_WI"] = 3;
            values[valuesById[4] = "TRANSACTION_OUTCOME_BUS_ERROR"] = 4;
            values[valuesById[5] = "TRANSACTION_OUTCOME_STALLED"] = 5;
            return values;
        })();

        v1.TranslateRequest = (function() {

            function TranslateRequest(properties) {
                this.accesses = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TranslateRequest.prototype.device = "";
            TranslateRequest.prototype.accesses = $util.emptyArray;

            TranslateRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.accesses != null && message.accesses.length)
                    for (let i = 0; i < message.accesses.length; ++i)
                        $root.iommubroker.v1.TranslateAccess.encode(message.accesses[i], writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            TranslateRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TranslateRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            if (!(message.accesses && message.accesses.length))
                                message.accesses = [];
                            message.accesses.push($root.iommubroker.v1.TranslateAccess.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TranslateRequest;
        })();

        v1.TranslateAccess = (function() {

            function TranslateAccess(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TranslateAccess.prototype.iova = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            TranslateAccess.prototype.substreamId = null;
            TranslateAccess.prototype.access = 0;
            TranslateAccess.prototype.privileged = false;
            TranslateAccess.prototype.streamIndex = 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(TranslateAccess.prototype, "_substreamId", {
                get: $util.oneOfGetter($oneOfFields = ["substreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            TranslateAccess.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.iova != null && Object.hasOwnProperty.call(message, "iova"))
                    writer.uint32(8).uint64(message.iova);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(16).uint32(message.substreamId);
                if (message.access != null && Object.hasOwnProperty.call(message, "access"))
                    writer.uint32(24).int32(message.access);
                if (message.privileged != null && Object.hasOwnProperty.call(message, "privileged"))
                    writer.uint32(32).bool(message.privileged);
                if (message.streamIndex != null && Object.hasOwnProperty.call(message, "streamIndex"))
                    writer.uint32(40).uint32(message.streamIndex);
                return writer;
            };

            TranslateAccess.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TranslateAccess();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.iova = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.access = reader.int32();
                            break;
                        }
                    case 4: {
                            message.privileged = reader.bool();
                            break;
                        }
                    case 5: {
                            message.streamIndex = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TranslateAccess;
        })();

        v1.AccessKind = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "ACCESS_KIND_UNSPECIFIED"] = 0;
            values[valuesById[1] = "ACCESS_KIND_READ"] = 1;
            values[valuesById[2] = "ACCESS_KIND_WRITE"] = 2;
            values[valuesById[3] = "ACCESS_KIND_EXECUTE"] = 3;
            return values;
        })();

        v1.TranslateResponse = (function() {

            function TranslateResponse(properties) {
                this.translations = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TranslateResponse.prototype.translations = $util.emptyArray;

            TranslateResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.translations != null && message.translations.length)
                    for (let i = 0; i < message.translations.length; ++i)
                        $root.iommubroker.v1.Translation.encode(message.translations[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            TranslateResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TranslateResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.translations && message.translations.length))
                                message.translations = [];
                            message.translations.push($root.iommubroker.v1.Translation.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TranslateResponse;
        })();

        v1.Translation = (function() {

            function Translation(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Translation.prototype.outcome = 0;
            Translation.prototype.pa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Translation.prototype.pageBytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Translation.prototype.ipa = null;
            Translation.prototype.bypass = false;
            Translation.prototype.faultType = "";
            Translation.prototype.faultStage = 0;
            Translation.prototype.faultClass = "";
            Translation.prototype.faultIpa = null;
            Translation.prototype.faultFetchAddress = null;
            Translation.prototype.recorded = false;
            Translation.prototype.memoryType = "";
            Translation.prototype.shareability = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(Translation.prototype, "_ipa", {
                get: $util.oneOfGetter($oneOfFields = ["ipa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(Translation.prototype, "_faultIpa", {
                get: $util.oneOfGetter($oneOfFields = ["faultIpa"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(Translation.prototype, "_faultFetchAddress", {
                get: $util.oneOfGetter($oneOfFields = ["faultFetchAddress"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Translation.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.outcome != null && Object.hasOwnProperty.call(message, "outcome"))
                    writer.uint32(8).int32(message.outcome);
                if (message.pa != null && Object.hasOwnProperty.call(message, "pa"))
                    writer.uint32(16).uint64(message.pa);
                if (message.pageBytes != null && Object.hasOwnProperty.call(message, "pageBytes"))
                    writer.uint32(24).uint64(message.pageBytes);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(32).uint64(message.ipa);
                if (message.bypass != null && Object.hasOwnProperty.call(message, "bypass"))
                    writer.uint32(40).bool(message.bypass);
                if (message.faultType != null && Object.hasOwnProperty.call(message, "faultType"))
                    writer.uint32(50).string(message.faultType);
                if (message.faultStage != null && Object.hasOwnProperty.call(message, "faultStage"))
                    writer.uint32(56).uint32(message.faultStage);
                if (message.faultClass != null && Object.hasOwnProperty.call(message, "faultClass"))
                    writer.uint32(66).string(message.faultClass);
                if (message.faultIpa != null && Object.hasOwnProperty.call(message, "faultIpa"))
                    writer.uint32(72).uint64(message.faultIpa);
                if (message.faultFetchAddress != null && Object.hasOwnProperty.call(message, "faultFetchAddress"))
                    writer.uint32(80).uint64(message.faultFetchAddress);
                if (message.recorded != null && Object.hasOwnProperty.call(message, "recorded"))
                    writer.uint32(88).bool(message.recorded);
                if (message.memoryType != null && Object.hasOwnProperty.call(message, "memoryType"))
                    writer.uint32(98).string(message.memoryType);
                if (message.shareability != null && Object.hasOwnProperty.call(message, "shareability"))
                    writer.uint32(106).string(message.shareability);
                return writer;
            };

            Translation.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.Translation();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.outcome = reader.int32();
                            break;
                        }
                    case 2: {
                            message.pa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.pageBytes = reader.uint64();
                            break;
                        }
                    case 4: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.bypass = reader.bool();
                            break;
                        }
                    case 6: {
                            message.faultType = reader.string();
                            break;
                        }
                    case 7: {
                            message.faultStage = reader.uint32();
                            break;
                        }
                    case 8: {
                            message.faultClass = reader.string();
                            break;
                        }
                    case 9: {
                            message.faultIpa = reader.uint64();
                            break;
                        }
                    case 10: {
                            message.faultFetchAddress = reader.uint64();
                            break;
                        }
                    case 11: {
                            message.recorded = reader.bool();
                            break;
                        }
                    case 12: {
                            message.memoryType = reader.string();
                            break;
                        }
                    case 13: {
                            message.shareability = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Translation;
        })();

        v1.ReadMemoryRequest = (function() {

            function ReadMemoryRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ReadMemoryRequest.prototype.addressSpace = "";
            ReadMemoryRequest.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ReadMemoryRequest.prototype.bytes = 0;

            ReadMemoryRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(16).uint64(message.ipa);
                if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                    writer.uint32(24).uint32(message.bytes);
                return writer;
            };

            ReadMemoryRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ReadMemoryRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.bytes = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ReadMemoryRequest;
        })();

        v1.ReadMemoryResponse = (function() {

            function ReadMemoryResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ReadMemoryResponse.prototype.data = $util.newBuffer([]);

            ReadMemoryResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.data != null && Object.hasOwnProperty.call(message, "data"))
                    writer.uint32(10).bytes(message.data);
                return writer;
            };

            ReadMemoryResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ReadMemoryResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.data = reader.bytes();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ReadMemoryResponse;
        })();

        v1.WriteMemoryRequest = (function() {

            function WriteMemoryRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WriteMemoryRequest.prototype.addressSpace = "";
            WriteMemoryRequest.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            WriteMemoryRequest.prototype.data = $util.newBuffer([]);

            WriteMemoryRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(16).uint64(message.ipa);
                if (message.data != null && Object.hasOwnProperty.call(message, "data"))
                    writer.uint32(26).bytes(message.data);
                return writer;
            };

            WriteMemoryRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WriteMemoryRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.data = reader.bytes();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WriteMemoryRequest;
        })();

        v1.WriteMemoryResponse = (function() {

            function WriteMemoryResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WriteMemoryResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            WriteMemoryResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WriteMemoryResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WriteMemoryResponse;
        })();

        v1.ReadStructuresRequest = (function() {

            function ReadStructuresRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ReadStructuresRequest.prototype.device = "";
            ReadStructuresRequest.prototype.streamIndex = 0;
            ReadStructuresRequest.prototype.substreamId = 0;

            ReadStructuresRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.streamIndex != null && Object.hasOwnProperty.call(message, "streamIndex"))
                    writer.uint32(16).uint32(message.streamIndex);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(24).uint32(message.substreamId);
                return writer;
            };

            ReadStructuresRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ReadStructuresRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.streamIndex = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ReadStructuresRequest;
        })();

        v1.ReadStructuresResponse = (function() {

            function ReadStructuresResponse(properties) {
                this.ste = [];
                this.cd = [];
                this.registers = [];
                this.windows = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ReadStructuresResponse.prototype.streamId = 0;
            ReadStructuresResponse.prototype.ste = $util.emptyArray;
            ReadStructuresResponse.prototype.cd = $util.emptyArray;
            ReadStructuresResponse.prototype.registers = $util.emptyArray;
            ReadStructuresResponse.prototype.windows = $util.emptyArray;

            ReadStructuresResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.streamId != null && Object.hasOwnProperty.call(message, "streamId"))
                    writer.uint32(8).uint32(message.streamId);
                if (message.ste != null && message.ste.length) {
                    writer.uint32(18).fork();
                    for (let i = 0; i < message.ste.length; ++i)
                        writer.fixed64(message.ste[i]);
                    writer.ldelim();
                }
                if (message.cd != null && message.cd.length) {
                    writer.uint32(26).fork();
                    for (let i = 0; i < message.cd.length; ++i)
                        writer.fixed64(message.cd[i]);
                    writer.ldelim();
                }
                if (message.registers != null && message.registers.length)
                    for (let i = 0; i < message.registers.length; ++i)
                        $root.iommubroker.v1.RegisterValue.encode(message.registers[i], writer.uint32(34).fork(), q + 1).ldelim();
                if (message.windows != null && message.windows.length)
                    for (let i = 0; i < message.windows.length; ++i)
                        $root.iommubroker.v1.MemoryWindow.encode(message.windows[i], writer.uint32(42).fork(), q + 1).ldelim();
                return writer;
            };

            ReadStructuresResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ReadStructuresResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.streamId = reader.uint32();
                            break;
                        }
                    case 2: {
                            if (!(message.ste && message.ste.length))
                                message.ste = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.ste.push(reader.fixed64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.ste.push(reader.fixed64());
                            break;
                        }
                    case 3: {
                            if (!(message.cd && message.cd.length))
                                message.cd = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.cd.push(reader.fixed64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.cd.push(reader.fixed64());
                            break;
                        }
                    case 4: {
                            if (!(message.registers && message.registers.length))
                                message.registers = [];
                            message.registers.push($root.iommubroker.v1.RegisterValue.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 5: {
                            if (!(message.windows && message.windows.length))
                                message.windows = [];
                            message.windows.push($root.iommubroker.v1.MemoryWindow.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ReadStructuresResponse;
        })();

        v1.RegisterValue = (function() {

            function RegisterValue(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RegisterValue.prototype.name = "";
            RegisterValue.prototype.offset = 0;
            RegisterValue.prototype.value = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            RegisterValue.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.offset != null && Object.hasOwnProperty.call(message, "offset"))
                    writer.uint32(16).uint32(message.offset);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(24).uint64(message.value);
                return writer;
            };

            RegisterValue.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RegisterValue();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.offset = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.value = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RegisterValue;
        })();

        v1.MemoryWindow = (function() {

            function MemoryWindow(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            MemoryWindow.prototype.path = "";
            MemoryWindow.prototype.pa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            MemoryWindow.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            MemoryWindow.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.path != null && Object.hasOwnProperty.call(message, "path"))
                    writer.uint32(10).string(message.path);
                if (message.pa != null && Object.hasOwnProperty.call(message, "pa"))
                    writer.uint32(16).uint64(message.pa);
                if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                    writer.uint32(24).uint64(message.bytes);
                return writer;
            };

            MemoryWindow.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.MemoryWindow();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.path = reader.string();
                            break;
                        }
                    case 2: {
                            message.pa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.bytes = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return MemoryWindow;
        })();

        v1.ListMsisRequest = (function() {

            function ListMsisRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListMsisRequest.prototype.device = "";

            ListMsisRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                return writer;
            };

            ListMsisRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListMsisRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListMsisRequest;
        })();

        v1.ListMsisResponse = (function() {

            function ListMsisResponse(properties) {
                this.msis = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ListMsisResponse.prototype.msis = $util.emptyArray;
            ListMsisResponse.prototype.total = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            ListMsisResponse.prototype.doorbell = null;

            ListMsisResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.msis != null && message.msis.length)
                    for (let i = 0; i < message.msis.length; ++i)
                        $root.iommubroker.v1.Msi.encode(message.msis[i], writer.uint32(10).fork(), q + 1).ldelim();
                if (message.total != null && Object.hasOwnProperty.call(message, "total"))
                    writer.uint32(16).uint64(message.total);
                if (message.doorbell != null && Object.hasOwnProperty.call(message, "doorbell"))
                    $root.iommubroker.v1.MsiDoorbell.encode(message.doorbell, writer.uint32(26).fork(), q + 1).ldelim();
                return writer;
            };

            ListMsisResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ListMsisResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.msis && message.msis.length))
                                message.msis = [];
                            message.msis.push($root.iommubroker.v1.Msi.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 2: {
                            message.total = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.doorbell = $root.iommubroker.v1.MsiDoorbell.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ListMsisResponse;
        })();

        v1.Msi = (function() {

            function Msi(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Msi.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Msi.prototype.streamId = 0;
            Msi.prototype.data = 0;
            Msi.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            Msi.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                    writer.uint32(8).uint64(message.sequence);
                if (message.streamId != null && Object.hasOwnProperty.call(message, "streamId"))
                    writer.uint32(16).uint32(message.streamId);
                if (message.data != null && Object.hasOwnProperty.call(message, "data"))
                    writer.uint32(24).uint32(message.data);
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(32).uint64(message.ipa);
                return writer;
            };

            Msi.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.Msi();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.sequence = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.streamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.data = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Msi;
        })();

        v1.MsiDoorbell = (function() {

            function MsiDoorbell(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            MsiDoorbell.prototype.ipa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            MsiDoorbell.prototype.pa = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            MsiDoorbell.prototype.bytes = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            MsiDoorbell.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.ipa != null && Object.hasOwnProperty.call(message, "ipa"))
                    writer.uint32(8).uint64(message.ipa);
                if (message.pa != null && Object.hasOwnProperty.call(message, "pa"))
                    writer.uint32(16).uint64(message.pa);
                if (message.bytes != null && Object.hasOwnProperty.call(message, "bytes"))
                    writer.uint32(24).uint64(message.bytes);
                return writer;
            };

            MsiDoorbell.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.MsiDoorbell();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.ipa = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.pa = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.bytes = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return MsiDoorbell;
        })();

        v1.Stage1Mode = (function() {
            const valuesById = {}, values = Object.create(valuesById);
            values[valuesById[0] = "STAGE1_MODE_UNSPECIFIED"] = 0;
            values[valuesById[1] = "STAGE1_MODE_TRANSLATE"] = 1;
            values[valuesById[2] = "STAGE1_MODE_BYPASS"] = 2;
            values[valuesById[3] = "STAGE1_MODE_ABORT"] = 3;
            return values;
        })();

        v1.AttachDeviceRequest = (function() {

            function AttachDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AttachDeviceRequest.prototype.device = "";
            AttachDeviceRequest.prototype.virtualIommu = "";
            AttachDeviceRequest.prototype.initialMode = 0;
            AttachDeviceRequest.prototype.expectedGeneration = null;
            AttachDeviceRequest.prototype.requestId = "";
            AttachDeviceRequest.prototype.waitMs = 0;
            AttachDeviceRequest.prototype.preempt = false;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(AttachDeviceRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            AttachDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(18).string(message.virtualIommu);
                if (message.initialMode != null && Object.hasOwnProperty.call(message, "initialMode"))
                    writer.uint32(24).int32(message.initialMode);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(32).uint64(message.expectedGeneration);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(42).string(message.requestId);
                if (message.waitMs != null && Object.hasOwnProperty.call(message, "waitMs"))
                    writer.uint32(48).uint32(message.waitMs);
                if (message.preempt != null && Object.hasOwnProperty.call(message, "preempt"))
                    writer.uint32(56).bool(message.preempt);
                return writer;
            };

            AttachDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AttachDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 3: {
                            message.initialMode = reader.int32();
                            break;
                        }
                    case 4: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.requestId = reader.string();
                            break;
                        }
                    case 6: {
                            message.waitMs = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.preempt = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AttachDeviceRequest;
        })();

        v1.AttachDeviceResponse = (function() {

            function AttachDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AttachDeviceResponse.prototype.device = null;

            AttachDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            AttachDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AttachDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AttachDeviceResponse;
        })();

        v1.DetachDeviceRequest = (function() {

            function DetachDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DetachDeviceRequest.prototype.device = "";
            DetachDeviceRequest.prototype.expectedGeneration = null;
            DetachDeviceRequest.prototype.requestId = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(DetachDeviceRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            DetachDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(16).uint64(message.expectedGeneration);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(26).string(message.requestId);
                return writer;
            };

            DetachDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DetachDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DetachDeviceRequest;
        })();

        v1.DetachDeviceResponse = (function() {

            function DetachDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DetachDeviceResponse.prototype.device = null;

            DetachDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            DetachDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DetachDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DetachDeviceResponse;
        })();

        v1.BindGuestStageRequest = (function() {

            function BindGuestStageRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            BindGuestStageRequest.prototype.device = "";
            BindGuestStageRequest.prototype.virtualStreamId = null;
            BindGuestStageRequest.prototype.raw = null;
            BindGuestStageRequest.prototype.fields = null;
            BindGuestStageRequest.prototype.pageTable = null;
            BindGuestStageRequest.prototype.validateOnly = false;
            BindGuestStageRequest.prototype.expectedGeneration = null;
            BindGuestStageRequest.prototype.requestId = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(BindGuestStageRequest.prototype, "_virtualStreamId", {
                get: $util.oneOfGetter($oneOfFields = ["virtualStreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            Object.defineProperty(BindGuestStageRequest.prototype, "config", {
                get: $util.oneOfGetter($oneOfFields = ["raw", "fields", "pageTable"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(BindGuestStageRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            BindGuestStageRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.virtualStreamId != null && Object.hasOwnProperty.call(message, "virtualStreamId"))
                    writer.uint32(16).uint32(message.virtualStreamId);
                if (message.raw != null && Object.hasOwnProperty.call(message, "raw"))
                    $root.iommubroker.v1.RawSte.encode(message.raw, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.fields != null && Object.hasOwnProperty.call(message, "fields"))
                    $root.iommubroker.v1.Smmuv3Stage1.encode(message.fields, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.pageTable != null && Object.hasOwnProperty.call(message, "pageTable"))
                    $root.iommubroker.v1.SinglePageTable.encode(message.pageTable, writer.uint32(42).fork(), q + 1).ldelim();
                if (message.validateOnly != null && Object.hasOwnProperty.call(message, "validateOnly"))
                    writer.uint32(48).bool(message.validateOnly);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(56).uint64(message.expectedGeneration);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(66).string(message.requestId);
                return writer;
            };

            BindGuestStageRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.BindGuestStageRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.virtualStreamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.raw = $root.iommubroker.v1.RawSte.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.fields = $root.iommubroker.v1.Smmuv3Stage1.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            message.pageTable = $root.iommubroker.v1.SinglePageTable.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 6: {
                            message.validateOnly = reader.bool();
                            break;
                        }
                    case 7: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    case 8: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return BindGuestStageRequest;
        })();

        v1.RawSte = (function() {

            function RawSte(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RawSte.prototype.doubleword0 = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            RawSte.prototype.doubleword1 = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            RawSte.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.doubleword0 != null && Object.hasOwnProperty.call(message, "doubleword0"))
                    writer.uint32(9).fixed64(message.doubleword0);
                if (message.doubleword1 != null && Object.hasOwnProperty.call(message, "doubleword1"))
                    writer.uint32(17).fixed64(message.doubleword1);
                return writer;
            };

            RawSte.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.RawSte();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.doubleword0 = reader.fixed64();
                            break;
                        }
                    case 2: {
                            message.doubleword1 = reader.fixed64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RawSte;
        })();

        v1.Smmuv3Stage1 = (function() {

            function Smmuv3Stage1(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Smmuv3Stage1.prototype.mode = 0;
            Smmuv3Stage1.prototype.s1ContextPtr = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            Smmuv3Stage1.prototype.s1Fmt = 0;
            Smmuv3Stage1.prototype.s1CdMax = 0;
            Smmuv3Stage1.prototype.s1Dss = 0;
            Smmuv3Stage1.prototype.s1Cir = 0;
            Smmuv3Stage1.prototype.s1Cor = 0;
            Smmuv3Stage1.prototype.s1Csh = 0;
            Smmuv3Stage1.prototype.s1Stalld = false;
            Smmuv3Stage1.prototype.eats = 0;

            Smmuv3Stage1.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.mode != null && Object.hasOwnProperty.call(message, "mode"))
                    writer.uint32(8).int32(message.mode);
                if (message.s1ContextPtr != null && Object.hasOwnProperty.call(message, "s1ContextPtr"))
                    writer.uint32(16).uint64(message.s1ContextPtr);
                if (message.s1Fmt != null && Object.hasOwnProperty.call(message, "s1Fmt"))
                    writer.uint32(24).uint32(message.s1Fmt);
                if (message.s1CdMax != null && Object.hasOwnProperty.call(message, "s1CdMax"))
                    writer.uint32(32).uint32(message.s1CdMax);
                if (message.s1Dss != null && Object.hasOwnProperty.call(message, "s1Dss"))
                    writer.uint32(40).uint32(message.s1Dss);
                if (message.s1Cir != null && Object.hasOwnProperty.call(message, "s1Cir"))
                    writer.uint32(48).uint32(message.s1Cir);
                if (message.s1Cor != null && Object.hasOwnProperty.call(message, "s1Cor"))
                    writer.uint32(56).uint32(message.s1Cor);
                if (message.s1Csh != null && Object.hasOwnProperty.call(message, "s1Csh"))
                    writer.uint32(64).uint32(message.s1Csh);
                if (message.s1Stalld != null && Object.hasOwnProperty.call(message, "s1Stalld"))
                    writer.uint32(72).bool(message.s1Stalld);
                if (message.eats != null && Object.hasOwnProperty.call(message, "eats"))
                    writer.uint32(80).uint32(message.eats);
                return writer;
            };

            Smmuv3Stage1.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.Smmuv3Stage1();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.mode = reader.int32();
                            break;
                        }
                    case 2: {
                            message.s1ContextPtr = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.s1Fmt = reader.uint32();
                            break;
                        }
                    case 4: {
                            message.s1CdMax = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.s1Dss = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.s1Cir = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.s1Cor = reader.uint32();
                            break;
                        }
                    case 8: {
                            message.s1Csh = reader.uint32();
                            break;
                        }
                    case 9: {
                            message.s1Stalld = reader.bool();
                            break;
                        }
                    case 10: {
                            message.eats = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Smmuv3Stage1;
        })();

        v1.SinglePageTable = (function() {

            function SinglePageTable(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SinglePageTable.prototype.root = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            SinglePageTable.prototype.addressBits = 0;
            SinglePageTable.prototype.sre = false;
            SinglePageTable.prototype.eafe = false;
            SinglePageTable.prototype.wpe = false;

            SinglePageTable.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.root != null && Object.hasOwnProperty.call(message, "root"))
                    writer.uint32(8).uint64(message.root);
                if (message.addressBits != null && Object.hasOwnProperty.call(message, "addressBits"))
                    writer.uint32(16).uint32(message.addressBits);
                if (message.sre != null && Object.hasOwnProperty.call(message, "sre"))
                    writer.uint32(24).bool(message.sre);
                if (message.eafe != null && Object.hasOwnProperty.call(message, "eafe"))
                    writer.uint32(32).bool(message.eafe);
                if (message.wpe != null && Object.hasOwnProperty.call(message, "wpe"))
                    writer.uint32(40).bool(message.wpe);
                return writer;
            };

            SinglePageTable.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SinglePageTable();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.root = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.addressBits = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.sre = reader.bool();
                            break;
                        }
                    case 4: {
                            message.eafe = reader.bool();
                            break;
                        }
                    case 5: {
                            message.wpe = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SinglePageTable;
        })();

        v1.BindGuestStageResponse = (function() {

            function BindGuestStageResponse(properties) {
                this.hostSte = [];
                this.wouldFault = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            BindGuestStageResponse.prototype.device = null;
            BindGuestStageResponse.prototype.mode = 0;
            BindGuestStageResponse.prototype.hostSte = $util.emptyArray;
            BindGuestStageResponse.prototype.wouldFault = $util.emptyArray;

            BindGuestStageResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.mode != null && Object.hasOwnProperty.call(message, "mode"))
                    writer.uint32(16).int32(message.mode);
                if (message.hostSte != null && message.hostSte.length) {
                    writer.uint32(26).fork();
                    for (let i = 0; i < message.hostSte.length; ++i)
                        writer.fixed64(message.hostSte[i]);
                    writer.ldelim();
                }
                if (message.wouldFault != null && message.wouldFault.length)
                    for (let i = 0; i < message.wouldFault.length; ++i)
                        $root.iommubroker.v1.WouldFault.encode(message.wouldFault[i], writer.uint32(34).fork(), q + 1).ldelim();
                return writer;
            };

            BindGuestStageResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.BindGuestStageResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.mode = reader.int32();
                            break;
                        }
                    case 3: {
                            if (!(message.hostSte && message.hostSte.length))
                                message.hostSte = [];
                            if ((tag & 7) === 2) {
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                while (reader.pos < end2)
                                    message.hostSte.push(reader.fixed64());
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                            } else
                                message.hostSte.push(reader.fixed64());
                            break;
                        }
                    case 4: {
                            if (!(message.wouldFault && message.wouldFault.length))
                                message.wouldFault = [];
                            message.wouldFault.push($root.iommubroker.v1.WouldFault.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return BindGuestStageResponse;
        })();

        v1.WouldFault = (function() {

            function WouldFault(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            WouldFault.prototype.eventType = "";
            WouldFault.prototype.reason = "";

            WouldFault.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.eventType != null && Object.hasOwnProperty.call(message, "eventType"))
                    writer.uint32(10).string(message.eventType);
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(18).string(message.reason);
                return writer;
            };

            WouldFault.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.WouldFault();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.eventType = reader.string();
                            break;
                        }
                    case 2: {
                            message.reason = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return WouldFault;
        })();

        v1.BatchBindGuestStageRequest = (function() {

            function BatchBindGuestStageRequest(properties) {
                this.requests = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            BatchBindGuestStageRequest.prototype.requests = $util.emptyArray;
            BatchBindGuestStageRequest.prototype.requestId = "";

            BatchBindGuestStageRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.requests != null && message.requests.length)
                    for (let i = 0; i < message.requests.length; ++i)
                        $root.iommubroker.v1.BindGuestStageRequest.encode(message.requests[i], writer.uint32(10).fork(), q + 1).ldelim();
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(18).string(message.requestId);
                return writer;
            };

            BatchBindGuestStageRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.BatchBindGuestStageRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.requests && message.requests.length))
                                message.requests = [];
                            message.requests.push($root.iommubroker.v1.BindGuestStageRequest.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 2: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return BatchBindGuestStageRequest;
        })();

        v1.BatchBindGuestStageResponse = (function() {

            function BatchBindGuestStageResponse(properties) {
                this.results = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            BatchBindGuestStageResponse.prototype.results = $util.emptyArray;

            BatchBindGuestStageResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.results != null && message.results.length)
                    for (let i = 0; i < message.results.length; ++i)
                        $root.iommubroker.v1.BatchBindResult.encode(message.results[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            BatchBindGuestStageResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.BatchBindGuestStageResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.results && message.results.length))
                                message.results = [];
                            message.results.push($root.iommubroker.v1.BatchBindResult.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return BatchBindGuestStageResponse;
        })();

        v1.BatchBindResult = (function() {

            function BatchBindResult(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            BatchBindResult.prototype.response = null;
            BatchBindResult.prototype.error = null;

            let $oneOfFields;

            Object.defineProperty(BatchBindResult.prototype, "result", {
                get: $util.oneOfGetter($oneOfFields = ["response", "error"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            BatchBindResult.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.response != null && Object.hasOwnProperty.call(message, "response"))
                    $root.iommubroker.v1.BindGuestStageResponse.encode(message.response, writer.uint32(10).fork(), q + 1).ldelim();
                if (message.error != null && Object.hasOwnProperty.call(message, "error"))
                    $root.google.rpc.Status.encode(message.error, writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            BatchBindResult.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.BatchBindResult();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.response = $root.iommubroker.v1.BindGuestStageResponse.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 2: {
                            message.error = $root.google.rpc.Status.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return BatchBindResult;
        })();

        v1.UnbindGuestStageRequest = (function() {

            function UnbindGuestStageRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            UnbindGuestStageRequest.prototype.device = "";
            UnbindGuestStageRequest.prototype.expectedGeneration = null;
            UnbindGuestStageRequest.prototype.requestId = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(UnbindGuestStageRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            UnbindGuestStageRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(16).uint64(message.expectedGeneration);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(26).string(message.requestId);
                return writer;
            };

            UnbindGuestStageRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.UnbindGuestStageRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return UnbindGuestStageRequest;
        })();

        v1.UnbindGuestStageResponse = (function() {

            function UnbindGuestStageResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            UnbindGuestStageResponse.prototype.device = null;

            UnbindGuestStageResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            UnbindGuestStageResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.UnbindGuestStageResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return UnbindGuestStageResponse;
        })();

        v1.ResetDeviceRequest = (function() {

            function ResetDeviceRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ResetDeviceRequest.prototype.device = "";
            ResetDeviceRequest.prototype.expectedGeneration = null;
            ResetDeviceRequest.prototype.requestId = "";

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(ResetDeviceRequest.prototype, "_expectedGeneration", {
                get: $util.oneOfGetter($oneOfFields = ["expectedGeneration"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            ResetDeviceRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.expectedGeneration != null && Object.hasOwnProperty.call(message, "expectedGeneration"))
                    writer.uint32(16).uint64(message.expectedGeneration);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(26).string(message.requestId);
                return writer;
            };

            ResetDeviceRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ResetDeviceRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.expectedGeneration = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ResetDeviceRequest;
        })();

        v1.ResetDeviceResponse = (function() {

            function ResetDeviceResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ResetDeviceResponse.prototype.device = null;

            ResetDeviceResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    $root.iommubroker.v1.Device.encode(message.device, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            ResetDeviceResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.ResetDeviceResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = $root.iommubroker.v1.Device.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ResetDeviceResponse;
        })();

        v1.InvalidateCacheRequest = (function() {

            function InvalidateCacheRequest(properties) {
                this.commands = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            InvalidateCacheRequest.prototype.virtualIommu = "";
            InvalidateCacheRequest.prototype.commands = $util.emptyArray;

            InvalidateCacheRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(10).string(message.virtualIommu);
                if (message.commands != null && message.commands.length)
                    for (let i = 0; i < message.commands.length; ++i)
                        $root.iommubroker.v1.InvalidationCommand.encode(message.commands[i], writer.uint32(18).fork(), q + 1).ldelim();
                return writer;
            };

            InvalidateCacheRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.InvalidateCacheRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 2: {
                            if (!(message.commands && message.commands.length))
                                message.commands = [];
                            message.commands.push($root.iommubroker.v1.InvalidationCommand.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return InvalidateCacheRequest;
        })();

        v1.InvalidationCommand = (function() {

            function InvalidationCommand(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            InvalidationCommand.prototype.raw = null;
            InvalidationCommand.prototype.tlbiNhAll = null;
            InvalidationCommand.prototype.tlbiNhAsid = null;
            InvalidationCommand.prototype.tlbiNhVa = null;
            InvalidationCommand.prototype.tlbiNhVaa = null;
            InvalidationCommand.prototype.cfgiCd = null;
            InvalidationCommand.prototype.cfgiCdAll = null;
            InvalidationCommand.prototype.atcInv = null;

            let $oneOfFields;

            Object.defineProperty(InvalidationCommand.prototype, "command", {
                get: $util.oneOfGetter($oneOfFields = ["raw", "tlbiNhAll", "tlbiNhAsid", "tlbiNhVa", "tlbiNhVaa", "cfgiCd", "cfgiCdAll", "atcInv"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            InvalidationCommand.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.raw != null && Object.hasOwnProperty.call(message, "raw"))
                    writer.uint32(10).bytes(message.raw);
                if (message.tlbiNhAll != null && Object.hasOwnProperty.call(message, "tlbiNhAll"))
                    $root.iommubroker.v1.TlbiAll.encode(message.tlbiNhAll, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.tlbiNhAsid != null && Object.hasOwnProperty.call(message, "tlbiNhAsid"))
                    $root.iommubroker.v1.TlbiAsid.encode(message.tlbiNhAsid, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.tlbiNhVa != null && Object.hasOwnProperty.call(message, "tlbiNhVa"))
                    $root.iommubroker.v1.TlbiAddress.encode(message.tlbiNhVa, writer.uint32(34).fork(), q + 1).ldelim();
                if (message.tlbiNhVaa != null && Object.hasOwnProperty.call(message, "tlbiNhVaa"))
                    $root.iommubroker.v1.TlbiAddress.encode(message.tlbiNhVaa, writer.uint32(42).fork(), q + 1).ldelim();
                if (message.cfgiCd != null && Object.hasOwnProperty.call(message, "cfgiCd"))
                    $root.iommubroker.v1.CfgiCd.encode(message.cfgiCd, writer.uint32(50).fork(), q + 1).ldelim();
                if (message.cfgiCdAll != null && Object.hasOwnProperty.call(message, "cfgiCdAll"))
                    $root.iommubroker.v1.CfgiCd.encode(message.cfgiCdAll, writer.uint32(58).fork(), q + 1).ldelim();
                if (message.atcInv != null && Object.hasOwnProperty.call(message, "atcInv"))
                    $root.iommubroker.v1.AtcInv.encode(message.atcInv, writer.uint32(66).fork(), q + 1).ldelim();
                return writer;
            };

            InvalidationCommand.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.InvalidationCommand();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.raw = reader.bytes();
                            break;
                        }
                    case 2: {
                            message.tlbiNhAll = $root.iommubroker.v1.TlbiAll.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.tlbiNhAsid = $root.iommubroker.v1.TlbiAsid.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.tlbiNhVa = $root.iommubroker.v1.TlbiAddress.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 5: {
                            message.tlbiNhVaa = $root.iommubroker.v1.TlbiAddress.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 6: {
                            message.cfgiCd = $root.iommubroker.v1.CfgiCd.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 7: {
                            message.cfgiCdAll = $root.iommubroker.v1.CfgiCd.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 8: {
                            message.atcInv = $root.iommubroker.v1.AtcInv.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return InvalidationCommand;
        })();

        v1.TlbiAll = (function() {

            function TlbiAll(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TlbiAll.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            TlbiAll.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TlbiAll();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TlbiAll;
        })();

        v1.TlbiAsid = (function() {

            function TlbiAsid(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TlbiAsid.prototype.asid = 0;

            TlbiAsid.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.asid != null && Object.hasOwnProperty.call(message, "asid"))
                    writer.uint32(8).uint32(message.asid);
                return writer;
            };

            TlbiAsid.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TlbiAsid();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.asid = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TlbiAsid;
        })();

        v1.TlbiAddress = (function() {

            function TlbiAddress(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            TlbiAddress.prototype.asid = 0;
            TlbiAddress.prototype.address = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            TlbiAddress.prototype.leaf = false;
            TlbiAddress.prototype.tg = 0;
            TlbiAddress.prototype.num = 0;
            TlbiAddress.prototype.scale = 0;
            TlbiAddress.prototype.ttl = 0;

            TlbiAddress.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.asid != null && Object.hasOwnProperty.call(message, "asid"))
                    writer.uint32(8).uint32(message.asid);
                if (message.address != null && Object.hasOwnProperty.call(message, "address"))
                    writer.uint32(16).uint64(message.address);
                if (message.leaf != null && Object.hasOwnProperty.call(message, "leaf"))
                    writer.uint32(24).bool(message.leaf);
                if (message.tg != null && Object.hasOwnProperty.call(message, "tg"))
                    writer.uint32(32).uint32(message.tg);
                if (message.num != null && Object.hasOwnProperty.call(message, "num"))
                    writer.uint32(40).uint32(message.num);
                if (message.scale != null && Object.hasOwnProperty.call(message, "scale"))
                    writer.uint32(48).uint32(message.scale);
                if (message.ttl != null && Object.hasOwnProperty.call(message, "ttl"))
                    writer.uint32(56).uint32(message.ttl);
                return writer;
            };

            TlbiAddress.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.TlbiAddress();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.asid = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.address = reader.uint64();
                            break;
                        }
                    case 3: {
                            message.leaf = reader.bool();
                            break;
                        }
                    case 4: {
                            message.tg = reader.uint32();
                            break;
                        }
                    case 5: {
                            message.num = reader.uint32();
                            break;
                        }
                    case 6: {
                            message.scale = reader.uint32();
                            break;
                        }
                    case 7: {
                            message.ttl = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return TlbiAddress;
        })();

        v1.CfgiCd = (function() {

            function CfgiCd(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CfgiCd.prototype.virtualStreamId = 0;
            CfgiCd.prototype.substreamId = 0;
            CfgiCd.prototype.leaf = false;

            CfgiCd.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualStreamId != null && Object.hasOwnProperty.call(message, "virtualStreamId"))
                    writer.uint32(8).uint32(message.virtualStreamId);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(16).uint32(message.substreamId);
                if (message.leaf != null && Object.hasOwnProperty.call(message, "leaf"))
                    writer.uint32(24).bool(message.leaf);
                return writer;
            };

            CfgiCd.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CfgiCd();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualStreamId = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.leaf = reader.bool();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CfgiCd;
        })();

        v1.AtcInv = (function() {

            function AtcInv(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            AtcInv.prototype.virtualStreamId = 0;
            AtcInv.prototype.substreamId = null;
            AtcInv.prototype.global = false;
            AtcInv.prototype.address = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            AtcInv.prototype.size = 0;

            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(AtcInv.prototype, "_substreamId", {
                get: $util.oneOfGetter($oneOfFields = ["substreamId"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            AtcInv.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualStreamId != null && Object.hasOwnProperty.call(message, "virtualStreamId"))
                    writer.uint32(8).uint32(message.virtualStreamId);
                if (message.substreamId != null && Object.hasOwnProperty.call(message, "substreamId"))
                    writer.uint32(16).uint32(message.substreamId);
                if (message.global != null && Object.hasOwnProperty.call(message, "global"))
                    writer.uint32(24).bool(message.global);
                if (message.address != null && Object.hasOwnProperty.call(message, "address"))
                    writer.uint32(32).uint64(message.address);
                if (message.size != null && Object.hasOwnProperty.call(message, "size"))
                    writer.uint32(40).uint32(message.size);
                return writer;
            };

            AtcInv.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.AtcInv();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualStreamId = reader.uint32();
                            break;
                        }
                    case 2: {
                            message.substreamId = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.global = reader.bool();
                            break;
                        }
                    case 4: {
                            message.address = reader.uint64();
                            break;
                        }
                    case 5: {
                            message.size = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return AtcInv;
        })();

        v1.InvalidateCacheResponse = (function() {

            function InvalidateCacheResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            InvalidateCacheResponse.prototype.executed = 0;

            InvalidateCacheResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.executed != null && Object.hasOwnProperty.call(message, "executed"))
                    writer.uint32(8).uint32(message.executed);
                return writer;
            };

            InvalidateCacheResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.InvalidateCacheResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.executed = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return InvalidateCacheResponse;
        })();

        v1.StreamInvalidationsRequest = (function() {

            function StreamInvalidationsRequest(properties) {
                this.commands = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            StreamInvalidationsRequest.prototype.virtualIommu = "";
            StreamInvalidationsRequest.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            StreamInvalidationsRequest.prototype.commands = $util.emptyArray;
            StreamInvalidationsRequest.prototype.rawCommands = $util.newBuffer([]);

            StreamInvalidationsRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(10).string(message.virtualIommu);
                if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                    writer.uint32(16).uint64(message.sequence);
                if (message.commands != null && message.commands.length)
                    for (let i = 0; i < message.commands.length; ++i)
                        $root.iommubroker.v1.InvalidationCommand.encode(message.commands[i], writer.uint32(26).fork(), q + 1).ldelim();
                if (message.rawCommands != null && Object.hasOwnProperty.call(message, "rawCommands"))
                    writer.uint32(34).bytes(message.rawCommands);
                return writer;
            };

            StreamInvalidationsRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.StreamInvalidationsRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 2: {
                            message.sequence = reader.uint64();
                            break;
                        }
                    case 3: {
                            if (!(message.commands && message.commands.length))
                                message.commands = [];
                            message.commands.push($root.iommubroker.v1.InvalidationCommand.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    case 4: {
                            message.rawCommands = reader.bytes();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return StreamInvalidationsRequest;
        })();

        v1.StreamInvalidationsResponse = (function() {

            function StreamInvalidationsResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            StreamInvalidationsResponse.prototype.sequence = $util.Long ? $util.Long.fromBits(0,0,true) : 0;
            StreamInvalidationsResponse.prototype.executed = null;
            StreamInvalidationsResponse.prototype.error = null;
            StreamInvalidationsResponse.prototype.commandIndex = null;

            let $oneOfFields;

            Object.defineProperty(StreamInvalidationsResponse.prototype, "result", {
                get: $util.oneOfGetter($oneOfFields = ["executed", "error"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            Object.defineProperty(StreamInvalidationsResponse.prototype, "_commandIndex", {
                get: $util.oneOfGetter($oneOfFields = ["commandIndex"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            StreamInvalidationsResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.sequence != null && Object.hasOwnProperty.call(message, "sequence"))
                    writer.uint32(8).uint64(message.sequence);
                if (message.executed != null && Object.hasOwnProperty.call(message, "executed"))
                    writer.uint32(16).uint32(message.executed);
                if (message.error != null && Object.hasOwnProperty.call(message, "error"))
                    $root.google.rpc.Status.encode(message.error, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.commandIndex != null && Object.hasOwnProperty.call(message, "commandIndex"))
                    writer.uint32(32).uint32(message.commandIndex);
                return writer;
            };

            StreamInvalidationsResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.StreamInvalidationsResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.sequence = reader.uint64();
                            break;
                        }
                    case 2: {
                            message.executed = reader.uint32();
                            break;
                        }
                    case 3: {
                            message.error = $root.google.rpc.Status.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.commandIndex = reader.uint32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return StreamInvalidationsResponse;
        })();

        v1.VirtualIommu = (function() {

            function VirtualIommu(properties) {
                this.iommus = [];
                this.devices = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            VirtualIommu.prototype.name = "";
            VirtualIommu.prototype.addressSpace = "";
            VirtualIommu.prototype.registers = null;
            VirtualIommu.prototype.iommus = $util.emptyArray;
            VirtualIommu.prototype.devices = $util.emptyArray;

            VirtualIommu.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.name != null && Object.hasOwnProperty.call(message, "name"))
                    writer.uint32(10).string(message.name);
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(18).string(message.addressSpace);
                if (message.registers != null && Object.hasOwnProperty.call(message, "registers"))
                    $root.iommubroker.v1.IdRegisters.encode(message.registers, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.iommus != null && message.iommus.length)
                    for (let i = 0; i < message.iommus.length; ++i)
                        writer.uint32(34).string(message.iommus[i]);
                if (message.devices != null && message.devices.length)
                    for (let i = 0; i < message.devices.length; ++i)
                        writer.uint32(42).string(message.devices[i]);
                return writer;
            };

            VirtualIommu.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.VirtualIommu();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.name = reader.string();
                            break;
                        }
                    case 2: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 3: {
                            message.registers = $root.iommubroker.v1.IdRegisters.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            if (!(message.iommus && message.iommus.length))
                                message.iommus = [];
                            message.iommus.push(reader.string());
                            break;
                        }
                    case 5: {
                            if (!(message.devices && message.devices.length))
                                message.devices = [];
                            message.devices.push(reader.string());
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return VirtualIommu;
        })();

        v1.CreateVirtualIommuRequest = (function() {

            function CreateVirtualIommuRequest(properties) {
                this.iommus = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CreateVirtualIommuRequest.prototype.addressSpace = "";
            CreateVirtualIommuRequest.prototype.iommus = $util.emptyArray;
            CreateVirtualIommuRequest.prototype.registers = null;
            CreateVirtualIommuRequest.prototype.requestId = "";

            CreateVirtualIommuRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.addressSpace != null && Object.hasOwnProperty.call(message, "addressSpace"))
                    writer.uint32(10).string(message.addressSpace);
                if (message.iommus != null && message.iommus.length)
                    for (let i = 0; i < message.iommus.length; ++i)
                        writer.uint32(18).string(message.iommus[i]);
                if (message.registers != null && Object.hasOwnProperty.call(message, "registers"))
                    $root.iommubroker.v1.IdRegisters.encode(message.registers, writer.uint32(26).fork(), q + 1).ldelim();
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(34).string(message.requestId);
                return writer;
            };

            CreateVirtualIommuRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CreateVirtualIommuRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.addressSpace = reader.string();
                            break;
                        }
                    case 2: {
                            if (!(message.iommus && message.iommus.length))
                                message.iommus = [];
                            message.iommus.push(reader.string());
                            break;
                        }
                    case 3: {
                            message.registers = $root.iommubroker.v1.IdRegisters.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 4: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CreateVirtualIommuRequest;
        })();

        v1.CreateVirtualIommuResponse = (function() {

            function CreateVirtualIommuResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            CreateVirtualIommuResponse.prototype.virtualIommu = null;

            CreateVirtualIommuResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    $root.iommubroker.v1.VirtualIommu.encode(message.virtualIommu, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            CreateVirtualIommuResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.CreateVirtualIommuResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualIommu = $root.iommubroker.v1.VirtualIommu.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return CreateVirtualIommuResponse;
        })();

        v1.DeleteVirtualIommuRequest = (function() {

            function DeleteVirtualIommuRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeleteVirtualIommuRequest.prototype.virtualIommu = "";
            DeleteVirtualIommuRequest.prototype.requestId = "";

            DeleteVirtualIommuRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(10).string(message.virtualIommu);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(18).string(message.requestId);
                return writer;
            };

            DeleteVirtualIommuRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeleteVirtualIommuRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 2: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeleteVirtualIommuRequest;
        })();

        v1.DeleteVirtualIommuResponse = (function() {

            function DeleteVirtualIommuResponse(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeleteVirtualIommuResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                return writer;
            };

            DeleteVirtualIommuResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeleteVirtualIommuResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeleteVirtualIommuResponse;
        })();

        v1.SetVirtualIommuModeRequest = (function() {

            function SetVirtualIommuModeRequest(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SetVirtualIommuModeRequest.prototype.virtualIommu = "";
            SetVirtualIommuModeRequest.prototype.mode = 0;
            SetVirtualIommuModeRequest.prototype.requestId = "";

            SetVirtualIommuModeRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.virtualIommu != null && Object.hasOwnProperty.call(message, "virtualIommu"))
                    writer.uint32(10).string(message.virtualIommu);
                if (message.mode != null && Object.hasOwnProperty.call(message, "mode"))
                    writer.uint32(16).int32(message.mode);
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(26).string(message.requestId);
                return writer;
            };

            SetVirtualIommuModeRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SetVirtualIommuModeRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.virtualIommu = reader.string();
                            break;
                        }
                    case 2: {
                            message.mode = reader.int32();
                            break;
                        }
                    case 3: {
                            message.requestId = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SetVirtualIommuModeRequest;
        })();

        v1.SetVirtualIommuModeResponse = (function() {

            function SetVirtualIommuModeResponse(properties) {
                this.results = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            SetVirtualIommuModeResponse.prototype.results = $util.emptyArray;

            SetVirtualIommuModeResponse.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.results != null && message.results.length)
                    for (let i = 0; i < message.results.length; ++i)
                        $root.iommubroker.v1.DeviceModeResult.encode(message.results[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            SetVirtualIommuModeResponse.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.SetVirtualIommuModeResponse();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.results && message.results.length))
                                message.results = [];
                            message.results.push($root.iommubroker.v1.DeviceModeResult.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return SetVirtualIommuModeResponse;
        })();

        v1.DeviceModeResult = (function() {

            function DeviceModeResult(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DeviceModeResult.prototype.device = "";
            DeviceModeResult.prototype.error = null;
            DeviceModeResult.prototype.generation = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            DeviceModeResult.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.device != null && Object.hasOwnProperty.call(message, "device"))
                    writer.uint32(10).string(message.device);
                if (message.error != null && Object.hasOwnProperty.call(message, "error"))
                    $root.google.rpc.Status.encode(message.error, writer.uint32(18).fork(), q + 1).ldelim();
                if (message.generation != null && Object.hasOwnProperty.call(message, "generation"))
                    writer.uint32(24).uint64(message.generation);
                return writer;
            };

            DeviceModeResult.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.iommubroker.v1.DeviceModeResult();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.device = reader.string();
                            break;
                        }
                    case 2: {
                            message.error = $root.google.rpc.Status.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    case 3: {
                            message.generation = reader.uint64();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DeviceModeResult;
        })();

        return v1;
    })();

    return iommubroker;
})();

export const google = $root.google = (() => {

    const google = {};

    google.protobuf = (function() {

        const protobuf = {};

        protobuf.Duration = (function() {

            function Duration(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Duration.prototype.seconds = $util.Long ? $util.Long.fromBits(0,0,false) : 0;
            Duration.prototype.nanos = 0;

            Duration.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.seconds != null && Object.hasOwnProperty.call(message, "seconds"))
                    writer.uint32(8).int64(message.seconds);
                if (message.nanos != null && Object.hasOwnProperty.call(message, "nanos"))
                    writer.uint32(16).int32(message.nanos);
                return writer;
            };

            Duration.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.protobuf.Duration();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.seconds = reader.int64();
                            break;
                        }
                    case 2: {
                            message.nanos = reader.int32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Duration;
        })();

        protobuf.Any = (function() {

            function Any(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Any.prototype.type_url = "";
            Any.prototype.value = $util.newBuffer([]);

            Any.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.type_url != null && Object.hasOwnProperty.call(message, "type_url"))
                    writer.uint32(10).string(message.type_url);
                if (message.value != null && Object.hasOwnProperty.call(message, "value"))
                    writer.uint32(18).bytes(message.value);
                return writer;
            };

            Any.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.protobuf.Any();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.type_url = reader.string();
                            break;
                        }
                    case 2: {
                            message.value = reader.bytes();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Any;
        })();

        protobuf.Timestamp = (function() {

            function Timestamp(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Timestamp.prototype.seconds = $util.Long ? $util.Long.fromBits(0,0,false) : 0;
            Timestamp.prototype.nanos = 0;

            Timestamp.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.seconds != null && Object.hasOwnProperty.call(message, "seconds"))
                    writer.uint32(8).int64(message.seconds);
                if (message.nanos != null && Object.hasOwnProperty.call(message, "nanos"))
                    writer.uint32(16).int32(message.nanos);
                return writer;
            };

            Timestamp.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.protobuf.Timestamp();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.seconds = reader.int64();
                            break;
                        }
                    case 2: {
                            message.nanos = reader.int32();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Timestamp;
        })();

        return protobuf;
    })();

    google.rpc = (function() {

        const rpc = {};

        rpc.ErrorInfo = (function() {

            function ErrorInfo(properties) {
                this.metadata = {};
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ErrorInfo.prototype.reason = "";
            ErrorInfo.prototype.domain = "";
            ErrorInfo.prototype.metadata = $util.emptyObject;

            ErrorInfo.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                    writer.uint32(10).string(message.reason);
                if (message.domain != null && Object.hasOwnProperty.call(message, "domain"))
                    writer.uint32(18).string(message.domain);
                if (message.metadata != null && Object.hasOwnProperty.call(message, "metadata"))
                    for (let keys = Object.keys(message.metadata), i = 0; i < keys.length; ++i)
                        writer.uint32(26).fork().uint32(10).string(keys[i]).uint32(18).string(message.metadata[keys[i]]).ldelim();
                return writer;
            };

            ErrorInfo.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message, key, value;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.ErrorInfo();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.reason = reader.string();
                            break;
                        }
                    case 2: {
                            message.domain = reader.string();
                            break;
                        }
                    case 3: {
                            if (message.metadata === $util.emptyObject)
                                message.metadata = {};
                            let end2 = reader.uint32() + reader.pos;
                            if (end2 > reader.len)
                                throw RangeError("index out of range");
                            reader.len = end2;
                            key = "";
                            value = "";
                            while (reader.pos < end2) {
                                let tag2 = reader.uint32();
                                switch (tag2 >>> 3) {
                                case 1:
                                    key = reader.string();
                                    break;
                                case 2:
                                    value = reader.string();
                                    break;
                                default:
                                    reader.skipType(tag2 & 7, long);
                                    break;
                                }
                            }
                            if (reader.pos !== end2)
                                throw RangeError("index out of range");
                            reader.len = end;
                            if (key === "__proto__")
                                $util.makeProp(message.metadata, key);
                            message.metadata[key] = value;
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ErrorInfo;
        })();

        rpc.RetryInfo = (function() {

            function RetryInfo(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RetryInfo.prototype.retryDelay = null;

            RetryInfo.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.retryDelay != null && Object.hasOwnProperty.call(message, "retryDelay"))
                    $root.google.protobuf.Duration.encode(message.retryDelay, writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            RetryInfo.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.RetryInfo();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.retryDelay = $root.google.protobuf.Duration.decode(reader, reader.uint32(), undefined, long + 1);
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RetryInfo;
        })();

        rpc.DebugInfo = (function() {

            function DebugInfo(properties) {
                this.stackEntries = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            DebugInfo.prototype.stackEntries = $util.emptyArray;
            DebugInfo.prototype.detail = "";

            DebugInfo.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.stackEntries != null && message.stackEntries.length)
                    for (let i = 0; i < message.stackEntries.length; ++i)
                        writer.uint32(10).string(message.stackEntries[i]);
                if (message.detail != null && Object.hasOwnProperty.call(message, "detail"))
                    writer.uint32(18).string(message.detail);
                return writer;
            };

            DebugInfo.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.DebugInfo();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.stackEntries && message.stackEntries.length))
                                message.stackEntries = [];
                            message.stackEntries.push(reader.string());
                            break;
                        }
                    case 2: {
                            message.detail = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return DebugInfo;
        })();

        rpc.QuotaFailure = (function() {

            function QuotaFailure(properties) {
                this.violations = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            QuotaFailure.prototype.violations = $util.emptyArray;

            QuotaFailure.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.violations != null && message.violations.length)
                    for (let i = 0; i < message.violations.length; ++i)
                        $root.google.rpc.QuotaFailure.Violation.encode(message.violations[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            QuotaFailure.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.QuotaFailure();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.violations && message.violations.length))
                                message.violations = [];
                            message.violations.push($root.google.rpc.QuotaFailure.Violation.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            QuotaFailure.Violation = (function() {

                function Violation(properties) {
                    this.quotaDimensions = {};
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Violation.prototype.subject = "";
                Violation.prototype.description = "";
                Violation.prototype.apiService = "";
                Violation.prototype.quotaMetric = "";
                Violation.prototype.quotaId = "";
                Violation.prototype.quotaDimensions = $util.emptyObject;
                Violation.prototype.quotaValue = $util.Long ? $util.Long.fromBits(0,0,false) : 0;
                Violation.prototype.futureQuotaValue = null;

                let $oneOfFields;

                // Virtual OneOf for proto3 optional field
                Object.defineProperty(Violation.prototype, "_futureQuotaValue", {
                    get: $util.oneOfGetter($oneOfFields = ["futureQuotaValue"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                Violation.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.subject != null && Object.hasOwnProperty.call(message, "subject"))
                        writer.uint32(10).string(message.subject);
                    if (message.description != null && Object.hasOwnProperty.call(message, "description"))
                        writer.uint32(18).string(message.description);
                    if (message.apiService != null && Object.hasOwnProperty.call(message, "apiService"))
                        writer.uint32(26).string(message.apiService);
                    if (message.quotaMetric != null && Object.hasOwnProperty.call(message, "quotaMetric"))
                        writer.uint32(34).string(message.quotaMetric);
                    if (message.quotaId != null && Object.hasOwnProperty.call(message, "quotaId"))
                        writer.uint32(42).string(message.quotaId);
                    if (message.quotaDimensions != null && Object.hasOwnProperty.call(message, "quotaDimensions"))
                        for (let keys = Object.keys(message.quotaDimensions), i = 0; i < keys.length; ++i)
                            writer.uint32(50).fork().uint32(10).string(keys[i]).uint32(18).string(message.quotaDimensions[keys[i]]).ldelim();
                    if (message.quotaValue != null && Object.hasOwnProperty.call(message, "quotaValue"))
                        writer.uint32(56).int64(message.quotaValue);
                    if (message.futureQuotaValue != null && Object.hasOwnProperty.call(message, "futureQuotaValue"))
                        writer.uint32(64).int64(message.futureQuotaValue);
                    return writer;
                };

                Violation.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message, key, value;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.google.rpc.QuotaFailure.Violation();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.subject = reader.string();
                                break;
                            }
                        case 2: {
                                message.description = reader.string();
                                break;
                            }
                        case 3: {
                                message.apiService = reader.string();
                                break;
                            }
                        case 4: {
                                message.quotaMetric = reader.string();
                                break;
                            }
                        case 5: {
                                message.quotaId = reader.string();
                                break;
                            }
                        case 6: {
                                if (message.quotaDimensions === $util.emptyObject)
                                    message.quotaDimensions = {};
                                let end2 = reader.uint32() + reader.pos;
                                if (end2 > reader.len)
                                    throw RangeError("index out of range");
                                reader.len = end2;
                                key = "";
                                value = "";
                                while (reader.pos < end2) {
                                    let tag2 = reader.uint32();
                                    switch (tag2 >>> 3) {
                                    case 1:
                                        key = reader.string();
                                        break;
                                    case 2:
                                        value = reader.string();
                                        break;
                                    default:
                                        reader.skipType(tag2 & 7, long);
                                        break;
                                    }
                                }
                                if (reader.pos !== end2)
                                    throw RangeError("index out of range");
                                reader.len = end;
                                if (key === "__proto__")
                                    $util.makeProp(message.quotaDimensions, key);
                                message.quotaDimensions[key] = value;
                                break;
                            }
                        case 7: {
                                message.quotaValue = reader.int64();
                                break;
                            }
                        case 8: {
                                message.futureQuotaValue = reader.int64();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Violation;
            })();

            return QuotaFailure;
        })();

        rpc.PreconditionFailure = (function() {

            function PreconditionFailure(properties) {
                this.violations = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            PreconditionFailure.prototype.violations = $util.emptyArray;

            PreconditionFailure.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.violations != null && message.violations.length)
                    for (let i = 0; i < message.violations.length; ++i)
                        $root.google.rpc.PreconditionFailure.Violation.encode(message.violations[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            PreconditionFailure.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.PreconditionFailure();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.violations && message.violations.length))
                                message.violations = [];
                            message.violations.push($root.google.rpc.PreconditionFailure.Violation.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            PreconditionFailure.Violation = (function() {

                function Violation(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Violation.prototype.type = "";
                Violation.prototype.subject = "";
                Violation.prototype.description = "";

                Violation.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.type != null && Object.hasOwnProperty.call(message, "type"))
                        writer.uint32(10).string(message.type);
                    if (message.subject != null && Object.hasOwnProperty.call(message, "subject"))
                        writer.uint32(18).string(message.subject);
                    if (message.description != null && Object.hasOwnProperty.call(message, "description"))
                        writer.uint32(26).string(message.description);
                    return writer;
                };

                Violation.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.google.rpc.PreconditionFailure.Violation();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.type = reader.string();
                                break;
                            }
                        case 2: {
                                message.subject = reader.string();
                                break;
                            }
                        case 3: {
                                message.description = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Violation;
            })();

            return PreconditionFailure;
        })();

        rpc.BadRequest = (function() {

            function BadRequest(properties) {
                this.fieldViolations = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            BadRequest.prototype.fieldViolations = $util.emptyArray;

            BadRequest.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.fieldViolations != null && message.fieldViolations.length)
                    for (let i = 0; i < message.fieldViolations.length; ++i)
                        $root.google.rpc.BadRequest.FieldViolation.encode(message.fieldViolations[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            BadRequest.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.BadRequest();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.fieldViolations && message.fieldViolations.length))
                                message.fieldViolations = [];
                            message.fieldViolations.push($root.google.rpc.BadRequest.FieldViolation.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            BadRequest.FieldViolation = (function() {

                function FieldViolation(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                FieldViolation.prototype.field = "";
                FieldViolation.prototype.description = "";
                FieldViolation.prototype.reason = "";
                FieldViolation.prototype.localizedMessage = null;

                FieldViolation.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.field != null && Object.hasOwnProperty.call(message, "field"))
                        writer.uint32(10).string(message.field);
                    if (message.description != null && Object.hasOwnProperty.call(message, "description"))
                        writer.uint32(18).string(message.description);
                    if (message.reason != null && Object.hasOwnProperty.call(message, "reason"))
                        writer.uint32(26).string(message.reason);
                    if (message.localizedMessage != null && Object.hasOwnProperty.call(message, "localizedMessage"))
                        $root.google.rpc.LocalizedMessage.encode(message.localizedMessage, writer.uint32(34).fork(), q + 1).ldelim();
                    return writer;
                };

                FieldViolation.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.google.rpc.BadRequest.FieldViolation();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.field = reader.string();
                                break;
                            }
                        case 2: {
                                message.description = reader.string();
                                break;
                            }
                        case 3: {
                                message.reason = reader.string();
                                break;
                            }
                        case 4: {
                                message.localizedMessage = $root.google.rpc.LocalizedMessage.decode(reader, reader.uint32(), undefined, long + 1);
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return FieldViolation;
            })();

            return BadRequest;
        })();

        rpc.RequestInfo = (function() {

            function RequestInfo(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            RequestInfo.prototype.requestId = "";
            RequestInfo.prototype.servingData = "";

            RequestInfo.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.requestId != null && Object.hasOwnProperty.call(message, "requestId"))
                    writer.uint32(10).string(message.requestId);
                if (message.servingData != null && Object.hasOwnProperty.call(message, "servingData"))
                    writer.uint32(18).string(message.servingData);
                return writer;
            };

            RequestInfo.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.RequestInfo();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.requestId = reader.string();
                            break;
                        }
                    case 2: {
                            message.servingData = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return RequestInfo;
        })();

        rpc.ResourceInfo = (function() {

            function ResourceInfo(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            ResourceInfo.prototype.resourceType = "";
            ResourceInfo.prototype.resourceName = "";
            ResourceInfo.prototype.owner = "";
            ResourceInfo.prototype.description = "";

            ResourceInfo.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.resourceType != null && Object.hasOwnProperty.call(message, "resourceType"))
                    writer.uint32(10).string(message.resourceType);
                if (message.resourceName != null && Object.hasOwnProperty.call(message, "resourceName"))
                    writer.uint32(18).string(message.resourceName);
                if (message.owner != null && Object.hasOwnProperty.call(message, "owner"))
                    writer.uint32(26).string(message.owner);
                if (message.description != null && Object.hasOwnProperty.call(message, "description"))
                    writer.uint32(34).string(message.description);
                return writer;
            };

            ResourceInfo.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.ResourceInfo();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.resourceType = reader.string();
                            break;
                        }
                    case 2: {
                            message.resourceName = reader.string();
                            break;
                        }
                    case 3: {
                            message.owner = reader.string();
                            break;
                        }
                    case 4: {
                            message.description = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return ResourceInfo;
        })();

        rpc.Help = (function() {

            function Help(properties) {
                this.links = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Help.prototype.links = $util.emptyArray;

            Help.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.links != null && message.links.length)
                    for (let i = 0; i < message.links.length; ++i)
                        $root.google.rpc.Help.Link.encode(message.links[i], writer.uint32(10).fork(), q + 1).ldelim();
                return writer;
            };

            Help.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.Help();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            if (!(message.links && message.links.length))
                                message.links = [];
                            message.links.push($root.google.rpc.Help.Link.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            Help.Link = (function() {

                function Link(properties) {
                    if (properties)
                        for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                }

                Link.prototype.description = "";
                Link.prototype.url = "";

                Link.encode = function encode(message, writer, q) {
                    if (!writer)
                        writer = $Writer.create();
                    if (q === undefined)
                        q = 0;
                    if (q > $util.recursionLimit)
                        throw Error("max depth exceeded");
                    if (message.description != null && Object.hasOwnProperty.call(message, "description"))
                        writer.uint32(10).string(message.description);
                    if (message.url != null && Object.hasOwnProperty.call(message, "url"))
                        writer.uint32(18).string(message.url);
                    return writer;
                };

                Link.decode = function decode(reader, length, error, long) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (long === undefined)
                        long = 0;
                    if (long > $Reader.recursionLimit)
                        throw Error("maximum nesting depth exceeded");
                    let end, message;
                    if (length === undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = new $root.google.rpc.Help.Link();
                    while (reader.pos < end) {
                        let tag = reader.uint32();
                        if (tag === error)
                            break;
                        switch (tag >>> 3) {
                        case 1: {
                                message.description = reader.string();
                                break;
                            }
                        case 2: {
                                message.url = reader.string();
                                break;
                            }
                        default:
                            reader.skipType(tag & 7, long);
                            break;
                        }
                    }
                    if (length !== undefined) {
                        if (reader.pos !== end)
                            throw RangeError("index out of range");
                        reader.len = length;
                    }
                    return message;
                };

                return Link;
            })();

            return Help;
        })();

        rpc.LocalizedMessage = (function() {

            function LocalizedMessage(properties) {
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            LocalizedMessage.prototype.locale = "";
            LocalizedMessage.prototype.message = "";

            LocalizedMessage.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.locale != null && Object.hasOwnProperty.call(message, "locale"))
                    writer.uint32(10).string(message.locale);
                if (message.message != null && Object.hasOwnProperty.call(message, "message"))
                    writer.uint32(18).string(message.message);
                return writer;
            };

            LocalizedMessage.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.LocalizedMessage();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.locale = reader.string();
                            break;
                        }
                    case 2: {
                            message.message = reader.string();
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return LocalizedMessage;
        })();

        rpc.Status = (function() {

            function Status(properties) {
                this.details = [];
                if (properties)
                    for (let keys = Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            }

            Status.prototype.code = 0;
            Status.prototype.message = "";
            Status.prototype.details = $util.emptyArray;

            Status.encode = function encode(message, writer, q) {
                if (!writer)
                    writer = $Writer.create();
                if (q === undefined)
                    q = 0;
                if (q > $util.recursionLimit)
                    throw Error("max depth exceeded");
                if (message.code != null && Object.hasOwnProperty.call(message, "code"))
                    writer.uint32(8).int32(message.code);
                if (message.message != null && Object.hasOwnProperty.call(message, "message"))
                    writer.uint32(18).string(message.message);
                if (message.details != null && message.details.length)
                    for (let i = 0; i < message.details.length; ++i)
                        $root.google.protobuf.Any.encode(message.details[i], writer.uint32(26).fork(), q + 1).ldelim();
                return writer;
            };

            Status.decode = function decode(reader, length, error, long) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (long === undefined)
                    long = 0;
                if (long > $Reader.recursionLimit)
                    throw Error("maximum nesting depth exceeded");
                let end, message;
                if (length === undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = new $root.google.rpc.Status();
                while (reader.pos < end) {
                    let tag = reader.uint32();
                    if (tag === error)
                        break;
                    switch (tag >>> 3) {
                    case 1: {
                            message.code = reader.int32();
                            break;
                        }
                    case 2: {
                            message.message = reader.string();
                            break;
                        }
                    case 3: {
                            if (!(message.details && message.details.length))
                                message.details = [];
                            message.details.push($root.google.protobuf.Any.decode(reader, reader.uint32(), undefined, long + 1));
                            break;
                        }
                    default:
                        reader.skipType(tag & 7, long);
                        break;
                    }
                }
                if (length !== undefined) {
                    if (reader.pos !== end)
                        throw RangeError("index out of range");
                    reader.len = length;
                }
                return message;
            };

            return Status;
        })();

        return rpc;
    })();

    return google;
})();

export { $root as default };
