"""Which published file of DCI 1.0.0 each contract and code list of the ``dci`` family comes from.

It refuses to hold fields or codes: the tests read those from the published files. What is not taken over has its
reason beside it.
"""

from typing import Final

_DATA, _CODE, _API = "core/v1/data/", "core/v1/code/", "core/v1/api-schemas/"
_SR, _IBR, _DR, _CRVS = (f"extensions/{each}/v1/" for each in ("social", "ibr", "dr", "crvs"))

FOLDERS: Final = ("core/v1", "extensions/social", "extensions/ibr", "extensions/dr", "extensions/crvs")
EXCLUDED_FOLDERS: Final = {
    "common/v1": "older drafts of what core/v1 holds; the OpenAPI files name core's",
    "extensions/ess": "employment services: not a registry of the plan",
    "extensions/fr": "farmers: not a registry of the plan",
    "extensions/id": "identity with biometric data: not a registry of the plan, and no biometric data is exchanged",
}

# published JSON-LD file -> contract
OBJECTS: Final = {
    f"{_DATA}Address": "address",
    f"{_DATA}DisabilityInfo": "disability-info",
    f"{_DATA}GeoLocation": "geo-location",
    f"{_DATA}GeoShape": "geo-shape",
    f"{_DATA}Geocoordinates": "geo-coordinates",
    f"{_DATA}Group": "group",
    f"{_DATA}Identifier": "identifier",
    f"{_DATA}Member": "member",
    f"{_DATA}Name": "name",
    f"{_DATA}Person": "person",
    f"{_DATA}Place": "place",
    f"{_DATA}RelatedPerson": "related-person",
    f"{_API}AttributeNameValue": "attribute-name-value",
    f"{_API}Authorize": "authorize",
    f"{_API}Consent": "consent",
    f"{_API}EncryptedHeader": "encrypted-header",
    f"{_API}EncryptedMessage": "encrypted-message",
    f"{_API}Error": "error",
    f"{_API}EventFrequency": "event-frequency",
    f"{_API}ExpPredicate": "predicate-term",
    f"{_API}ExpPredicateWithCondition": "predicate",
    f"{_API}IdentifierTypeValue": "idtype-value-query",
    f"{_API}MsgCallbackHeader": "response-header",
    f"{_API}MsgHeader": "request-header",
    f"{_API}Pagination": "pagination",
    f"{_API}PaginationRequest": "pagination-request",
    f"{_API}SearchSort": "sort",
    f"{_SR}data/Group": "sr-group",
    f"{_SR}data/Member": "sr-member",
    f"{_SR}data/SRPerson": "sr-person",
    f"{_IBR}code/BenefitFrequency": "benefit-frequency",
    f"{_IBR}data/Beneficiary": "beneficiary",
    f"{_IBR}data/Benefit": "benefit",
    f"{_IBR}data/Group": "ibr-group",
    f"{_IBR}data/IBRPerson": "ibr-person",
    f"{_IBR}data/Member": "ibr-member",
    f"{_IBR}data/Programme": "programme",
    f"{_DR}data/AnimalAssistance": "animal-assistance",
    f"{_DR}data/AssistiveTechnology": "assistive-technology",
    f"{_DR}data/DRPerson": "dr-person",
    f"{_DR}data/DisabilityDetails": "disability-details",
    f"{_DR}data/DisabilitySupport": "disability-support",
    f"{_DR}data/Group": "dr-group",
    f"{_DR}data/HousingSupport": "housing-support",
    f"{_DR}data/HumanAssistance": "human-assistance",
    f"{_DR}data/MedicalCare": "medical-care",
    f"{_DR}data/Member": "dr-member",
    f"{_DR}data/PWDPerson": "pwd-person",
    f"{_CRVS}data/CRVSPerson": "crvs-person",
}

# fields that the JSON-LD file describes beside its properties
BORROWED: Final = {"sort": {"sort_order"}}

# published JSON-LD file -> code list
CODES: Final = {
    f"{_CODE}AssistanceUnit": "assistance-unit",
    f"{_CODE}DisabilityTypeEnum": "disability-type",
    f"{_CODE}EducationCode": "education",
    f"{_CODE}EmploymentStatusEnum": "employment-status",
    f"{_CODE}FunctionalLimitationType": "functional-limitation-type",
    f"{_CODE}FunctionalSeverityEnum": "functional-severity",
    f"{_CODE}IdentifierTypeEnum": "identifier-type",
    f"{_CODE}IncomeLevelEnum": "income-level",
    f"{_CODE}LanguageCodeEnum": "language",
    f"{_CODE}MaritalStatusEnum": "marital-status",
    f"{_CODE}OccupationEnum": "occupation",
    f"{_CODE}RelationshipTypeEnum": "relationship-type",
    f"{_CODE}SexCategoryEnum": "sex-category",
    f"{_API}Ack": "ack-status",
    f"{_API}AttributeValueEnum": "attribute-value-type",
    f"{_API}ExpCondition": "predicate-condition",
    f"{_API}ExpOperator": "predicate-operator",
    f"{_API}MsgHeaderStatusReasonCode": "header-reason",
    f"{_API}QueryTypeEnum": "filter-type",
    f"{_API}RegistryEventTypeEnum": "registry-event-type",
    f"{_API}RegistryRecordType": "registry-record-type",
    f"{_API}RegistryType": "registry-type",
    f"{_API}RequestStatus": "request-status",
    f"{_IBR}code/BenefitTypeEnum": "benefit-type",
    f"{_IBR}code/ContributionTypeEnum": "contribution-type",
    f"{_IBR}code/EnrollmentStatusEnum": "enrollment-status",
    f"{_IBR}code/InstitutionEnum": "institution",
    f"{_IBR}code/LegalStatusEnum": "legal-status",
    f"{_IBR}code/ProgrammeTypeEnum": "programme-type",
    f"{_IBR}code/SocialProtectionFunctionEnum": "social-protection-function",
    f"{_DR}code/AnimalAssistanceEnum": "animal-assistance-type",
    f"{_DR}code/AssistiveTechnologyEnum": "assistive-technology-type",
    f"{_DR}code/DisabilityLevelEnum": "disability-level",
    f"{_DR}code/DisabilityOnSet": "disability-onset",
    f"{_DR}code/DisabilityStatusEnum": "disability-status",
    f"{_DR}code/HousingSupportEnum": "housing-support-type",
    f"{_DR}code/HousingType": "housing-type",
    f"{_DR}code/HumanAssistanceType": "human-assistance-type",
    f"{_DR}code/ImpairementType": "impairment-type",
    f"{_DR}code/ImpairmentCause": "impairment-cause",
    f"{_DR}code/ImpairmentLevel": "impairment-level",
    f"{_DR}code/MedicalCareEnum": "medical-care-type",
    f"{_DR}code/SupportFrequency": "support-frequency",
    f"{_DR}code/SupportStatusEnum": "support-status",
    f"{_DR}code/TransportRequirement": "transport-requirement",
    f"{_CRVS}code/VitalEventTypeEnum": "vital-event-type",
}

EXCLUDED: Final = {
    f"{_DATA}AdditionalInfo": "an object without fields: any object",
    f"{_DATA}DateTime": "a data type: it stands in each field as a timestamp with a zone",
    f"{_API}AttributeNameValueList": "a list of attribute-name-value",
    f"{_API}CorrelationId": "a data type: it stands in each field as text of at most 99 characters",
    f"{_API}ExpPredicateList": "a list of predicate-term, which no message carries",
    f"{_API}ExpPredicateWithConditionList": "a list of predicate: it stands in search-criteria",
    f"{_API}IdType": "one field, which stands in idtype-value-query",
    f"{_API}LatLong": "geo-coordinates under another name, which nothing refers to",
    f"{_API}Meta": "an object without fields: any object",
    f"{_API}MsgSignature": "a data type: it stands in each envelope as text",
    f"{_API}QueryAttributes": "one field, which stands in predicate-term and sort",
    f"{_API}QueryExpression": "another form of queries than the OpenAPI files have; those are the wire",
    f"{_API}ReferenceId": "a data type: it stands in each field as text of at most 99 characters",
    f"{_API}ReferenceIdList": "a list of that data type",
    f"{_API}SearchSortList": "a list of sort: it stands in search-criteria",
}

# A range that no file bears -> the file that is meant; and coded fields that hold more than the published codes.
RANGES_LEFT: Final[dict[object, str]] = {
    "AssistanceUnitEnum": "AssistanceUnit",
    "EnrollementStatusEnum": "EnrollmentStatusEnum",
    "ImpairmentType": "ImpairementType",
    "RelationshipEnum": "RelationshipTypeEnum",
    ("attribute-name-value", "value"): "the list names JSON types, not values",
    ("identifier", "identifier_type"): "a country adds its own types of identifiers",
    ("idtype-value-query", "value"): "the list names JSON types, not values",
    ("predicate-term", "attribute_value"): "the list names JSON types, not values",
}

# contract -> (registry, JSON Pointer into its published OpenAPI file)
_AT = "/components/schemas/"
_RESULT = "/properties/search_response/items"
_ACK = "/components/responses/Response/content/application~1json/schema/properties/message"
MESSAGES: Final = {
    "ack": ("sr", "/components/responses/Response/content/application~1json/schema"),
    "ack-message": ("sr", _ACK),
    "ack-error": ("sr", f"{_ACK}/properties/error"),
    "disabled-criteria": ("dr", f"{_AT}DisabledRequest/properties/disabled_criteria"),
    "disabled-request": ("dr", f"{_AT}DisabledRequest"),
    "disabled-response": ("dr", f"{_AT}DisabledResponse"),
    "disabled-result": ("dr", f"{_AT}DisabledResponse/properties/disabled_response/items"),
    "enrolled-criteria": ("ibr", f"{_AT}EnrolledRequest/properties/enrolled_criteria"),
    "enrolled-request": ("ibr", f"{_AT}EnrolledRequest"),
    "enrolled-response": ("ibr", f"{_AT}EnrolledResponse"),
    "enrolled-result": ("ibr", f"{_AT}EnrolledResponse/properties/enrolled_response/items"),
    "enrollment-update-result": ("ibr", f"{_AT}EnrollmentUpdatesResponse/properties/enrolled_response/items"),
    "enrollment-updates": ("ibr", f"{_AT}EnrollmentUpdatesRequest/properties/enrolled_updates"),
    "enrollment-updates-request": ("ibr", f"{_AT}EnrollmentUpdatesRequest"),
    "enrollment-updates-response": ("ibr", f"{_AT}EnrollmentUpdatesResponse"),
    "expression-query": ("sr", f"{_AT}SubscriptionInfo/properties/filter/anyOf/0"),
    "file-info": ("sr", f"{_AT}FileInfo"),
    "get-disability-info-data": ("dr", f"{_AT}GetDisabilityInfoResponse{_RESULT}/properties/data"),
    "get-disability-info-response": ("dr", f"{_AT}GetDisabilityInfoResponse"),
    "get-disability-info-result": ("dr", f"{_AT}GetDisabilityInfoResponse{_RESULT}"),
    "get-disability-support-data": ("dr", f"{_AT}GetDisabilitySupportResponse{_RESULT}/properties/data"),
    "get-disability-support-request": ("dr", f"{_AT}GetDisabilitySupportRequest"),
    "get-disability-support-response": ("dr", f"{_AT}GetDisabilitySupportResponse"),
    "get-disability-support-result": ("dr", f"{_AT}GetDisabilitySupportResponse{_RESULT}"),
    "http-error": ("sr", "/components/responses/HttpErrorResponse/content/application~1json/schema"),
    "dr-notify-data": ("dr", f"{_AT}NotifyEventRequest/properties/notify_event/items/properties/data"),
    "ibr-notify-data": ("ibr", f"{_AT}NotifyEventRequest/properties/notify_event/items/properties/data"),
    "notify-data": ("crvs", f"{_AT}NotifyEventRequest/properties/notify_event/items/properties/data"),
    "notify-event": ("crvs", f"{_AT}NotifyEventRequest/properties/notify_event/items"),
    "notify-event-request": ("crvs", f"{_AT}NotifyEventRequest"),
    "sr-notify-data": ("sr", f"{_AT}NotifyEventRequest/properties/notify_event/items/properties/data"),
    "receipt-status": ("ibr", f"{_AT}TxnStatusResponse/properties/txnstatus_response/properties/txn_status/oneOf/1"),
    "search-criteria": ("sr", f"{_AT}SearchRequest/properties/search_request/items/properties/search_criteria"),
    "search-data": ("sr", f"{_AT}SearchResponse{_RESULT}/properties/data"),
    "search-item": ("sr", f"{_AT}SearchRequest/properties/search_request/items"),
    "search-request": ("sr", f"{_AT}SearchRequest"),
    "search-response": ("sr", f"{_AT}SearchResponse"),
    "search-result": ("sr", f"{_AT}SearchResponse{_RESULT}"),
    "subscribe-criteria": (
        "sr",
        f"{_AT}SubscribeRequest/properties/subscribe_request/items/properties/subscribe_criteria",
    ),
    "subscribe-item": ("sr", f"{_AT}SubscribeRequest/properties/subscribe_request/items"),
    "subscribe-request": ("sr", f"{_AT}SubscribeRequest"),
    "subscribe-response": ("sr", f"{_AT}SubscribeResponse"),
    "subscribe-result": ("sr", f"{_AT}SubscribeResponse/properties/subscribe_response/items"),
    "subscription-info": ("sr", f"{_AT}SubscriptionInfo"),
    "subscription-state": ("sr", f"{_AT}UnSubscribeResponse/properties/subscription_status/items"),
    "txn-status-query": ("crvs", f"{_AT}TxnStatusRequest/properties/txnstatus_request"),
    "txn-status-request": ("crvs", f"{_AT}TxnStatusRequest"),
    "txn-status-response": ("crvs", f"{_AT}TxnStatusResponse"),
    "txn-status-result": ("crvs", f"{_AT}TxnStatusResponse/properties/txnstatus_response"),
    "unsubscribe-request": ("sr", f"{_AT}UnSubscribeRequest"),
    "unsubscribe-response": ("sr", f"{_AT}UnSubscribeResponse"),
}

# contract -> which side of which path
ENVELOPES: Final = {
    "async-notify": ("request", "/registry/notify"),
    "async-on-search": ("request", "/registry/on-search"),
    "async-on-subscribe": ("request", "/registry/on-subscribe"),
    "async-on-unsubscribe": ("request", "/registry/on-unsubscribe"),
    "async-search": ("request", "/registry/search"),
    "async-subscribe": ("request", "/registry/subscribe"),
    "async-txn-on-status": ("request", "/registry/txn/on-status"),
    "async-txn-status": ("request", "/registry/txn/status"),
    "async-unsubscribe": ("request", "/registry/unsubscribe"),
    **{
        f"sync-{path.replace('/', '-')}-{name}": (side, f"/registry/sync/{path}")
        for path in (
            "disabled",
            "enrolled",
            "enrollment/updates",
            "get-disability-details",
            "get-disability-support",
            "search",
            "txn/status",
        )
        for side, name in (("request", "request"), ("answer", "response"))
    },
}

# contract -> where else it comes from: DCI names the paths and leaves their content to these
ELSEWHERE: Final = {
    "json-web-key": "RFC 7517 and RFC 7518, section 6; RFC 8037, section 2",
    "json-web-key-set": "RFC 7517, section 5",
    "locations": "a list of DCI's Place",
    "plus-code": "the range of plus_code within GeoLocation",
    "purpose": "the range of purpose within Consent and Authorize",
    "token-error": "RFC 6749, section 5.2",
    "token-request": "RFC 6749, section 4.4.2",
    "token-response": "RFC 6749, section 5.1",
}

# code list -> (registry, JSON Pointer to the enumeration in its published OpenAPI file)
WIRE_CODES: Final = {
    "disabled-status": ("dr", f"{MESSAGES['disabled-result'][1]}/properties/disabled_status/enum"),
    "dr-event-type": ("dr", f"{MESSAGES['dr-notify-data'][1]}/properties/reg_event_type/enum"),
    "enrolled-status": ("ibr", f"{MESSAGES['enrolled-result'][1]}/properties/enrolled_status/enum"),
    "error": ("sr", f"{_AT}Error/properties/code/enum"),
    "ibr-event-type": ("ibr", f"{MESSAGES['ibr-notify-data'][1]}/properties/reg_event_type/enum"),
    "query-type": ("sr", f"{MESSAGES['search-criteria'][1]}/properties/query_type/enum"),
    "response-entity": ("sr", f"{MESSAGES['search-criteria'][1]}/properties/response_entity/enum"),
    "search-reason": ("sr", f"{_AT}SearchStatusReasonCode/enum"),
    "sort-order": ("sr", f"{MESSAGES['search-criteria'][1]}/properties/sort/items/properties/sort_order/enum"),
    "sr-event-type": ("sr", f"{MESSAGES['sr-notify-data'][1]}/properties/reg_event_type/enum"),
    "subscribe-reason": ("sr", f"{_AT}SubscribeStatusReasonCode/enum"),
    "subscription-status": ("sr", f"{_AT}SubscriptionStatus/enum"),
    "txn-attribute-type": ("crvs", f"{MESSAGES['txn-status-query'][1]}/properties/attribute_type/enum"),
    "txn-type": ("crvs", f"{MESSAGES['txn-status-query'][1]}/properties/txn_type/enum"),
    "unsubscribe-reason": ("sr", f"{_AT}UnSubscribeStatusReasonCode/enum"),
}
# codes that another registry's file adds to those of the file above
JOINED_CODES: Final = {"txn-type": ("ibr", f"{MESSAGES['txn-status-query'][1]}/properties/txn_type/enum")}
